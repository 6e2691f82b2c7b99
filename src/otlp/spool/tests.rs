//! Segments against a list, damaged in every bit, and cut at every byte.

#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use crate::otlp::spool::segment::Segment;
use crate::wire::segment::read::{self, Entry};
use crate::wire::segment::{self, done_at, done_bytes, label_len, DATA_AT, INDEX_AT, MAX_ENTRIES};

const RESOURCE: &[u8] = b"resource";

/// What was written: each record with its job and scope.
type Written = Vec<(u64, Vec<u8>, Vec<u8>)>;

struct Scratch {
    path: PathBuf,
    segment: Segment,
    written: Written,
}

impl Scratch {
    fn new(data_len: usize) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("spanlog-segment-{}-{number}", std::process::id()));
        let _ = fs::remove_file(&path);
        let mut segment = Segment::create(&path, 1, 0, RESOURCE, data_len).unwrap();
        segment.begin(7);
        Self { path, segment, written: Vec::new() }
    }

    fn push(&mut self, job: u64, scope: &[u8], record: &[u8]) {
        let last = self.written.last().map(|(job, scope, _)| (*job, scope.as_slice()));
        if last != Some((job, scope)) {
            self.segment.begin_run(job, scope);
        }
        let (front, rest) = record.split_at(record.len() / 3);
        self.segment.push(front, rest);
        self.written.push((job, scope.to_vec(), record.to_vec()));
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(&self.path).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// The records that are not done, and the entries that are damaged. Fails with what is no segment.
fn read_all(bytes: &[u8]) -> Option<(Written, usize)> {
    let segment = read::Segment::read(bytes).ok()?;
    let mut run = (0, Vec::new());
    let (mut records, mut damaged) = (Vec::new(), 0);
    for entry in segment.entries() {
        match entry {
            Entry::Run { job, scope } => run = (job, scope.to_vec()),
            Entry::Record { framed, is_done: false } => records.push((run.0, run.1.clone(), framed.to_vec())),
            Entry::Record { .. } => {}
            Entry::Damaged { is_run } => {
                if is_run {
                    run = (0, Vec::new());
                }
                damaged += 1;
            }
        }
    }
    Some((records, damaged))
}

fn some() -> Scratch {
    let mut scratch = Scratch::new(4096);
    for number in 0..5 {
        let record = vec![b'a' + number; 20 + 17 * usize::from(number)];
        scratch.push(u64::from(number / 3), b"scope", &record);
    }
    scratch
}

/// Guarantees: what was pushed is in the file, of this use only, without what is done.
#[test]
fn a_segment_is_read_as_it_was_written() {
    let mut scratch = some();
    let bytes = scratch.bytes();
    let read_back = read::Segment::read(&bytes).unwrap();
    assert_eq!((read_back.resource, read_back.signal, read_back.number), (RESOURCE, 0, 7));
    assert_eq!(read_all(&bytes), Some((scratch.written.clone(), 0)));
    // The entries are a run, three records, a run, two records.
    let mut bits = [0; MAX_ENTRIES / 64];
    bits[0] = 0b10_0110;
    let mut done = bytes.clone();
    let at = done_at(RESOURCE.len());
    done[at..][..segment::DONE_LEN].copy_from_slice(&done_bytes(7, &bits));
    let kept: Written = [2, 4].map(|record| scratch.written[record].clone()).to_vec();
    assert_eq!(read_all(&done), Some((kept, 0)));
    done[at..][..segment::DONE_LEN].copy_from_slice(&done_bytes(6, &bits));
    assert_eq!(read_all(&done), Some((scratch.written.clone(), 0)), "of another use");

    scratch.segment.clear();
    assert_eq!(read_all(&scratch.bytes()), Some((Vec::new(), 0)));
    scratch.segment.begin(8);
    scratch.written.clear();
    scratch.push(0, b"", b"next");
    assert_eq!(read_all(&scratch.bytes()), Some((scratch.written.clone(), 0)), "nothing of the use before");
}

/// Scenario: each byte of what is used, damaged in each bit.
///
/// Guarantees: no record is read that was not written, at most two are lost but for those of a damaged
/// label, and damage to what counts is noticed. What is done may be sent once more.
#[test]
fn a_damaged_byte_costs_two_records_at_most() {
    let scratch = some();
    let mut bytes = scratch.bytes();
    let done = done_bytes(7, &[0; MAX_ENTRIES / 64]);
    bytes[done_at(RESOURCE.len())..][..segment::DONE_LEN].copy_from_slice(&done);
    let mapped = label_len(RESOURCE.len());
    let data: usize = scratch.written.iter().map(|(_, _, record)| record.len()).sum::<usize>() + 2 * (8 + 5);
    let used = (0..done_at(RESOURCE.len()) + segment::DONE_LEN)
        .chain(mapped..mapped + INDEX_AT + 8 * 7)
        .chain(mapped + DATA_AT..mapped + DATA_AT + data);
    for at in used {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            let Some((records, entries)) = read_all(&damaged) else {
                assert!(at < mapped, "only a label makes it unreadable: byte {at}");
                continue;
            };
            let whole: Vec<_> = scratch.written.iter().map(|(_, _, record)| record).collect();
            for (_, _, record) in &records {
                assert!(whole.contains(&record), "byte {at}: a record that was not written");
            }
            assert!(records.len() + 2 >= whole.len(), "byte {at}: {} records are left", records.len());
            assert!(records.len() == whole.len() || entries > 0, "byte {at}: lost without a word");
            if at >= mapped + INDEX_AT {
                assert!(entries > 0, "byte {at} is damaged, bit {bit}");
            }
        }
    }
}

/// Scenario: the file is cut at each of its bytes.
///
/// Guarantees: every record before the cut is read, and nothing else.
#[test]
fn a_file_that_is_cut_is_read_up_to_there() {
    let scratch = some();
    let bytes = scratch.bytes();
    let mapped = label_len(RESOURCE.len());
    let end = mapped + DATA_AT;
    for len in 0..bytes.len() {
        let found = read_all(&bytes[..len]);
        if len < mapped {
            assert_eq!(found, None);
            continue;
        }
        let (records, damaged) = found.unwrap();
        let (mut at, mut whole) = (end, Vec::new());
        for (position, entry) in scratch.written.iter().enumerate() {
            at += entry.2.len() + if position % 3 == 0 { 8 + 5 } else { 0 };
            if at <= len {
                whole.push(entry.clone());
            }
        }
        assert_eq!(records, whole, "cut at {len}");
        if len >= mapped + INDEX_AT {
            assert_eq!(damaged == 0, at <= len, "cut at {len}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A segment against a list: whatever is pushed, in whatever runs, over some uses.
    #[test]
    fn a_segment_has_what_a_list_has(
        uses in prop::collection::vec(
            prop::collection::vec((0u64..3, 0usize..3, prop::collection::vec(any::<u8>(), 0..200)), 0..40),
            1..4,
        ),
    ) {
        let mut scratch = Scratch::new(6000);
        for (number, records) in uses.into_iter().enumerate() {
            scratch.segment.clear();
            scratch.segment.begin(number as u64);
            scratch.written.clear();
            for (job, scope, record) in records {
                let scope = [&b""[..], b"one", b"another"][scope];
                if scratch.segment.fits(record.len(), scope.len()) {
                    scratch.push(job, scope, &record);
                }
                prop_assert_eq!(read_all(&scratch.bytes()), Some((scratch.written.clone(), 0)));
            }
        }
    }

    /// Whatever a file has, reading it ends and does not panic.
    #[test]
    fn anything_can_be_read(mut bytes in prop::collection::vec(any::<u8>(), 0..3000), keeps_label in any::<bool>()) {
        if keeps_label {
            bytes.splice(0..0, segment::label(0, b"r", 100));
        }
        read_all(&bytes);
    }
}
