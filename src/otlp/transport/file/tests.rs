//! Lines, rotation, and files that go away.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::otlp::deliver::request::{Batch, Resource};
use crate::wire::put::put_bytes;

/// A directory of a test's own, which is removed when it ends.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("spanlog-file-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).expect("the directory is new");
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A request of one record with this body, and its line.
fn request(body: &str) -> (Vec<u8>, String) {
    let (mut value, mut record) = (Vec::new(), Vec::new());
    put_bytes(&mut value, 1, body.as_bytes());
    put_bytes(&mut record, 5, &value);
    let mut batch = Batch::default();
    batch.add_one(b"app", &record);
    let request = batch.request(&Resource::default());
    let line = request_to_json(Signal::Logs, &request).expect("it is a request");
    (request, line + "\n")
}

fn send(transport: &mut FileTransport, body: &str) -> Answer {
    transport.send(&mut request(body).0.into(), Instant::now())
}

fn accepted() -> Answer {
    Answer::Accepted { rejected: 0, message: String::new() }
}

fn lines(bodies: &[&str]) -> String {
    bodies.iter().map(|body| request(body).1).collect()
}

fn content(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).expect("the file is there")
}

#[test]
fn every_request_is_a_line_in_the_file_at_once() {
    let directory = Directory::new();
    let path = directory.file("deep/er/logs.jsonl");
    let mut transport = FileTransport::new(&path, Signal::Logs).expect("it can be written to");
    for count in 1..=3 {
        assert_eq!(send(&mut transport, "a\nb"), accepted());
        assert_eq!(content(&path), lines(&["a\nb"; 3][..count]));
    }
    drop(transport);
    let mut transport = FileTransport::new(&path, Signal::Logs).expect("it can be written to");
    assert_eq!(send(&mut transport, "later"), accepted());
    assert_eq!(content(&path), lines(&["a\nb", "a\nb", "a\nb", "later"]));
}

#[test]
fn full_files_move_on_and_the_oldest_goes() {
    let directory = Directory::new();
    let path = directory.file("logs.jsonl");
    let len = lines(&["1"]).len() as u64;
    let mut transport =
        FileTransport::new(&path, Signal::Logs).expect("it can be written to").with_rotation(2 * len, 2);
    for body in ["1", "2", "3", "4", "5", "6", "7"] {
        assert_eq!(send(&mut transport, body), accepted());
    }
    assert_eq!(content(&path), lines(&["7"]));
    assert_eq!(content(numbered(&path, 1)), lines(&["5", "6"]));
    assert_eq!(content(numbered(&path, 2)), lines(&["3", "4"]));
    assert!(!numbered(&path, 3).exists());
}

#[test]
fn keeping_none_starts_the_file_anew_and_a_long_line_stands_alone() {
    let directory = Directory::new();
    let path = directory.file("logs.jsonl");
    let mut transport =
        FileTransport::new(&path, Signal::Logs).expect("it can be written to").with_rotation(10, 0);
    for body in ["1", "2"] {
        assert_eq!(send(&mut transport, body), accepted());
        assert_eq!(content(&path), lines(&[body]));
    }
    assert_eq!(fs::read_dir(&directory.0).expect("it is there").count(), 1);
}

/// Scenario: the place for the full file is taken by a directory that is not empty.
#[test]
fn a_file_that_cannot_be_moved_grows_on() {
    let directory = Directory::new();
    let path = directory.file("logs.jsonl");
    fs::create_dir_all(numbered(&path, 1).join("in the way")).expect("it is new");
    let mut transport =
        FileTransport::new(&path, Signal::Logs).expect("it can be written to").with_rotation(10, 1);
    assert_eq!(send(&mut transport, "1"), accepted());
    match send(&mut transport, "2") {
        Answer::Accepted { rejected: 0, message } => assert!(message.contains("could not be rotated")),
        other => panic!("{other:?}"),
    }
    assert_eq!(content(&path), lines(&["1", "2"]));
}

#[test]
fn a_deleted_or_moved_file_is_made_anew() {
    let directory = Directory::new();
    let path = directory.file("deep/logs.jsonl");
    let mut transport = FileTransport::new(&path, Signal::Logs).expect("it can be written to");
    assert_eq!(send(&mut transport, "1"), accepted());
    fs::remove_dir_all(directory.file("deep")).expect("it is there");
    assert_eq!(send(&mut transport, "2"), accepted());
    assert_eq!(content(&path), lines(&["2"]));
    let moved = directory.file("moved");
    fs::rename(&path, &moved).expect("it is there");
    assert_eq!(send(&mut transport, "3"), accepted());
    assert_eq!((content(&path), content(moved)), (lines(&["3"]), lines(&["2"])));
}

#[test]
fn a_torn_last_line_does_not_swallow_the_next() {
    let directory = Directory::new();
    let path = directory.file("logs.jsonl");
    fs::write(&path, "{\"resourceLogs\":[{\"sco").expect("it can be written to");
    let mut transport = FileTransport::new(&path, Signal::Logs).expect("it can be written to");
    assert_eq!(send(&mut transport, "1"), accepted());
    assert_eq!(send(&mut transport, "2"), accepted());
    assert_eq!(content(&path), format!("{{\"resourceLogs\":[{{\"sco\n{}", lines(&["1", "2"])));
}

/// Guarantees: what another writer leaves torn between two of our lines does not swallow ours.
#[test]
fn a_line_that_another_writer_leaves_torn_does_not_swallow_the_next() {
    let directory = Directory::new();
    let path = directory.file("logs.jsonl");
    let mut transport = FileTransport::new(&path, Signal::Logs).expect("it can be written to");
    assert_eq!(send(&mut transport, "1"), accepted());
    let mut other = OpenOptions::new().append(true).open(&path).expect("it is there");
    other.write_all(b"{\"torn\":").expect("it can be written to");
    assert_eq!(send(&mut transport, "2"), accepted());
    other.write_all(b"whole\n").expect("it can be written to");
    assert_eq!(send(&mut transport, "3"), accepted());
    assert_eq!(
        content(&path),
        format!("{}{{\"torn\":\n{}whole\n{}", lines(&["1"]), lines(&["2"]), lines(&["3"]))
    );
}

#[test]
fn half_a_line_is_cut_off_again_but_nobody_elses() {
    let directory = Directory::new();
    let path = directory.file("logs.jsonl");
    fs::write(&path, "whole\nhalf").expect("it can be written to");
    let open = OpenFile::append(&path).expect("it can be written to");
    fs::write(directory.file("whole"), "whole\n").expect("it can be written to");
    let before = fs::metadata(directory.file("whole")).expect("it is there");
    let full = || io::Error::from(io::ErrorKind::StorageFull);
    assert!(open.undo(&before, 3, full()).is_err());
    assert_eq!(content(&path), "whole\nhalf", "these are not the last bytes");
    let error = open.undo(&before, 4, full()).expect_err("it is the same error");
    assert_eq!((content(&path), error.kind()), ("whole\n".to_owned(), io::ErrorKind::StorageFull));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_tried_again() {
    let mut transport =
        FileTransport::new("/dev/full", Signal::Logs).expect("it can be opened").with_rotation(1, 1);
    for _ in 0..2 {
        match send(&mut transport, "1") {
            Answer::TryAgain { after: None, why } => assert!(why.contains("/dev/full"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_no_time_heals_is_refused() {
    let directory = Directory::new();
    let path = directory.file("logs.jsonl");
    let mut transport = FileTransport::new(&path, Signal::Logs).expect("it can be written to");
    assert!(matches!(transport.send(&mut b"\xff".to_vec().into(), Instant::now()), Answer::Refused { .. }));
    assert!(!path.metadata().is_ok_and(|found| found.len() > 0), "nothing was written");
    fs::remove_file(&path).expect("it is there");
    fs::create_dir(&path).expect("the name is free");
    assert!(matches!(send(&mut transport, "1"), Answer::Refused { .. }));
    fs::remove_dir(&path).expect("it is empty");
    assert_eq!(send(&mut transport, "2"), accepted());
    let error = FileTransport::new(&directory.0, Signal::Logs).expect_err("it is a directory");
    assert!(error.is_setting(), "{error}");
}
