//! zstd: files that are compressed as a whole, and a Collector's messages that are each compressed.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use spanlog::graph::{Reader, ToolCallGraph};

use crate::fixture::{read, shape, span, traces};

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The header of a frame with a window of 128 KiB, without a size and a checksum.
const HEADER: [u8; 6] = [MAGIC[0], MAGIC[1], MAGIC[2], MAGIC[3], 0, 7 << 3];

/// A block: `size` bytes that are stored as they are, or one that is repeated.
fn block(content: &[u8], size: usize, is_last: bool) -> Vec<u8> {
    let kind = u32::from(content.len() != size);
    let header = u32::from(is_last) | kind << 1 | (size as u32) << 3;
    [&header.to_le_bytes()[..3], content].concat()
}

/// A frame with a block for each of these texts.
fn frame(texts: &[&str]) -> Vec<u8> {
    let mut frame = HEADER.to_vec();
    texts.iter().for_each(|text| frame.extend(block(text.as_bytes(), text.len(), false)));
    frame.extend(block(b"", 0, true));
    frame
}

fn prefixed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u32).to_be_bytes()[..], message].concat()
}

fn three() -> [String; 3] {
    [1, 2, 3].map(|id| traces(&[span(&format!("span {id}"), id, 0, id, id + 1)]))
}

fn foreign(file: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/graph/foreign").join(file)).unwrap()
}

/// The graph, or the error's text.
fn try_read(bytes: &[u8]) -> Result<ToolCallGraph, String> {
    let mut reader = Reader::new();
    reader.read("file", bytes).map_err(|error| error.to_string())?;
    Ok(reader.graph())
}

/// Every span and record, without their order.
fn items(graph: &ToolCallGraph) -> Vec<String> {
    let spans = graph.nodes().map(|node| format!("{:?}", node.call()));
    let placed = graph.nodes().flat_map(|node| node.own_records());
    let records = placed.chain(graph.unplaced_records()).map(|record| format!("{record:?}"));
    let mut items: Vec<_> = spans.chain(records).collect();
    items.sort();
    items
}

#[test]
fn frames_stand_one_after_the_other_and_some_are_to_be_skipped() {
    let [first, second, third] = three();
    let skipped = [&[0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"xyz"].concat();
    let (begin, end) = (frame(&[&first, &second[..20]]), frame(&[&second[20..], &third]));
    let graph = read([&skipped[..], &begin, &skipped, &end].concat());
    assert_eq!(shape(&graph), ["span 1", "span 2", "span 3"]);
    assert_eq!(graph.notes(), [] as [&str; 0]);
    // An empty frame is an empty file.
    assert_eq!(read(frame(&[])).notes(), ["file: empty: no message and no row"]);
}

/// Guarantees: what stands before the cut is there, although a decoder keeps a window of it back.
#[test]
fn a_truncated_frame_keeps_what_was_decoded_of_it() {
    let [first, second, third] = three();
    let whole = frame(&[&first, &second, &third]);
    let at = HEADER.len() + 3 + first.len() + 3 + second.len();
    let graph = read(&whole[..at + 20]);
    assert_eq!(shape(&graph), ["span 1", "span 2"]);
    assert_eq!(graph.notes(), ["file: could not be read to its end: a zstd frame is truncated"]);
    assert!(try_read(&whole[..HEADER.len() + 2]).unwrap_err().contains("a zstd frame is truncated"));
    for end in 4..whole.len() {
        let is_read = end >= HEADER.len() + 3 + first.len();
        let found = try_read(&whole[..end]).map(|graph| graph.notes().concat());
        assert_eq!(found.is_ok(), is_read, "{end}: {found:?}");
        assert!(found.unwrap_or_else(|error| error).contains("truncated"), "{end}");
    }
}

#[test]
fn a_damaged_frame_says_what_is_wrong_and_keeps_what_stands_before() {
    let [first, second, third] = three();
    // A block of the reserved type.
    let mut bytes = HEADER.to_vec();
    bytes.extend(block(first.as_bytes(), first.len(), false));
    bytes.extend([6, 0, 0]);
    let graph = read(&bytes);
    assert_eq!(shape(&graph), ["span 1"]);
    assert!(graph.notes()[0].contains("a zstd frame cannot be decompressed: "), "{:?}", graph.notes());
    // Something else behind a frame.
    let graph = read([&frame(&[&second])[..], b"something else"].concat());
    assert_eq!(shape(&graph), ["span 2"]);
    assert!(graph.notes()[0].contains("a zstd frame cannot be decompressed: "), "{:?}", graph.notes());
    // A checksum that does not match.
    let mut bytes = frame(&[&third]);
    bytes[4] |= 4;
    bytes.extend([1, 2, 3, 4]);
    let graph = read(&bytes);
    assert_eq!(shape(&graph), ["span 3"]);
    assert!(graph.notes()[0].contains("the checksum of a zstd frame is wrong"), "{:?}", graph.notes());
}

#[test]
fn a_damaged_message_of_a_collector_costs_no_other() {
    let [first, second, third] = three();
    let mut damaged = frame(&[&second]);
    damaged[HEADER.len()] = 6;
    let messages = [frame(&[&first]), damaged, Vec::new(), b"not zstd".to_vec(), frame(&[&third])];
    let bytes: Vec<u8> = messages.iter().flat_map(|message| prefixed(message)).collect();
    let graph = read(&bytes);
    assert_eq!(shape(&graph), ["span 1", "span 3"]);
    let at = 4 + messages[0].len() + 4;
    let notes = graph.notes();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(
        notes[0].starts_with(&format!("file: message at byte {at}: a zstd frame cannot be decompressed")),
        "{notes:?}"
    );
    assert!(notes[1].contains("cannot be decompressed"), "{notes:?}");
    // At the end, in a message and in a length.
    let graph = read(&bytes[..bytes.len() - 2]);
    assert_eq!(shape(&graph), ["span 1", "span 3"]);
    assert!(graph.notes()[0].ends_with(": a zstd frame is truncated"), "{:?}", graph.notes());
    let graph = read([&bytes[..], &[0, 0]].concat());
    let end = format!("file: truncated at byte {}", bytes.len() + 2);
    assert!(graph.notes().contains(&end), "{:?}", graph.notes());
}

/// Guarantees: wherever a real file is cut, or a bit of it is wrong, there is no panic, and nothing is
/// missing without a note.
#[test]
fn nothing_of_a_damaged_file_is_missing_in_silence() {
    for file in ["collector.json.zst", "collector.pb.zst", "collector.lines.zst"] {
        let whole = foreign(file);
        let expected = items(&read(&whole));
        assert!(expected.len() > 10);
        let check = |bytes: &[u8], case: &str| {
            let is_told = match try_read(bytes) {
                Ok(graph) if graph.notes().is_empty() => items(&graph) == expected,
                Ok(_) => true,
                Err(error) => error.starts_with("file "),
            };
            assert!(is_told, "{file}: {case}");
        };
        let ends = boundaries(&whole, file);
        for end in 1..whole.len() {
            if !ends.contains(&end) {
                check(&whole[..end], &format!("cut at byte {end}"));
            }
        }
        for at in (0..whole.len()).step_by(3) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            check(&bytes, &format!("byte {at} is wrong"));
        }
    }
}

/// Where a message or a frame ends.
fn boundaries(bytes: &[u8], file: &str) -> Vec<usize> {
    if file == "collector.lines.zst" {
        return (1..bytes.len()).filter(|at| bytes[*at..].starts_with(&MAGIC)).collect();
    }
    let mut ends = vec![0];
    while let Some(prefix) = bytes.get(ends[ends.len() - 1]..).and_then(|rest| rest.first_chunk::<4>()) {
        ends.push(ends[ends.len() - 1] + 4 + u32::from_be_bytes(*prefix) as usize);
    }
    ends
}

/// Guarantees: 32 MiB that are 1 KiB in the file are not read into memory, and a window of 2 GiB is refused.
#[test]
fn a_decompression_bomb_takes_no_memory() {
    let good = three();
    let mut bytes = frame(&[&good[0]]);
    bytes.extend(HEADER);
    let open = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":""#;
    bytes.extend(block(open.as_bytes(), open.len(), false));
    (0..256).for_each(|_| bytes.extend(block(b"x", 128 << 10, false)));
    let close = format!("\"}}]}}]}}]}}\n{}", good[1]);
    bytes.extend(block(close.as_bytes(), close.len(), true));
    assert!(bytes.len() < 4 << 10);
    for bytes in [bytes.clone(), prefixed(&bytes)] {
        let graph = read(&bytes);
        assert_eq!(shape(&graph), ["span 1", "span 2"]);
        assert!(graph.notes()[0].contains("a string of more than 16 MiB"), "{:?}", graph.notes());
    }
    let mut bytes = frame(&[&good[0]]);
    bytes[5] = 21 << 3;
    assert!(try_read(&bytes).unwrap_err().contains("a zstd frame cannot be decompressed"));
}

/// Gives its bytes one by one, then fails.
struct Failing(Vec<u8>);

impl Read for Failing {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Err(io::Error::other("the disk is gone"));
        }
        out[0] = self.0.remove(0);
        Ok(1)
    }
}

/// Guarantees: an error of the source is reported as one, whatever the source is decompressed with.
#[test]
fn an_error_of_a_compressed_source_is_told() {
    let [first, second, _] = three();
    let gzip = foreign("python.pb.gz");
    let whole = frame(&[&first, &second]);
    let sources = [
        (whole[..HEADER.len() + 3 + first.len()].to_vec(), 1),
        (whole.clone(), 2),
        ([prefixed(&whole), prefixed(&whole)[..9].to_vec()].concat(), 2),
        (gzip[..gzip.len() - 20].to_vec(), 2),
    ];
    for (number, (bytes, spans)) in sources.into_iter().enumerate() {
        let mut reader = Reader::new();
        reader.read("file", Failing(bytes)).unwrap();
        let graph = reader.graph();
        assert_eq!(graph.roots().len(), spans, "{number}");
        let last = graph.notes().last().map(String::as_str);
        assert_eq!(last, Some("file: could not be read to its end: the disk is gone"), "{number}");
    }
    let skipped = [0x50, 0x2a, 0x4d, 0x18, 100, 0, 0, 0, 1];
    for start in [&[0x1f, 0x8b][..], &[0x1f], &MAGIC, &HEADER, &skipped, b"\0\0\x02\0\x28\xb5\x2f\xfd"] {
        let error = Reader::new().read("file", Failing(start.to_vec())).unwrap_err();
        assert!(error.to_string().contains("the disk is gone"), "{start:?}: {error}");
    }
}
