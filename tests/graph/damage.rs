//! Files that are truncated, foreign or hostile.

use std::io::{self, Read};

use serde_json::json;
use spanlog::graph::{Reader, ToolCallGraph};

use crate::fixture::{logs, read_spans};
use crate::fixture::{node, read, record, shape, span, traces, with, TRACE};

/// The error for bytes that contain no OTLP.
fn refused(bytes: &[u8]) -> String {
    let error = Reader::new().read("the/file", bytes).unwrap_err();
    assert!(error.is_unreadable());
    error.to_string()
}

#[test]
fn a_cut_line_is_told_with_its_place_and_keeps_what_stands_before_the_cut() {
    let whole = traces(&[span("a", 1, 0, 0, 1), span("b", 2, 0, 1, 2)]);
    let cut = whole.find("\"b\"").unwrap();
    // At the end of the file, and in the middle.
    let graph = read(traces(&[span("c", 3, 0, 2, 3)]) + &whole[..cut]);
    assert_eq!(shape(&graph), ["a", "c"]);
    assert_eq!(graph.notes(), ["file:2: the message is truncated; 1 span or record was read from it"]);
    let graph = read(whole[..cut].to_owned() + "\n" + &whole + "\n");
    assert_eq!(shape(&graph), ["a", "b"]);
    let notes = graph.notes();
    assert_eq!(notes[0], "file:1: the message is truncated; 1 span or record was read from it");
    assert_eq!(notes[1], "1 span with the id of another was skipped");
}

/// Guarantees: wherever a file is truncated, there is no panic, a note, and no later message is
/// lost.
#[test]
fn a_cut_at_any_byte_costs_no_more_than_its_own_message() {
    let first = traces(&[with(
        span("first", 1, 0, 0, 1),
        json!({ "attributes": [{ "key": "k\"\\", "value": { "arrayValue": { "values": [{ "intValue": "1" }, {}] } } }] }),
    )]);
    let second = traces(&[span("second", 2, 0, 2, 3)]);
    for end in 1..first.trim_end().len() {
        let cut = &first[..end];
        for between in ["\n", "\n\n", "\r\n"] {
            let graph = read(format!("{cut}{between}{second}"));
            assert_eq!(shape(&graph).last().map(String::as_str), Some("second"), "{cut}");
            assert!(
                graph.notes().iter().any(|note| note.contains("file:1: the message is truncated")),
                "{cut}"
            );
        }
    }
    let document = serde_json::from_str::<serde_json::Value>(&first).unwrap();
    let document = format!("{document:#}\n");
    for end in 1..document.trim_end().len() {
        let graph = read(format!("{}\n{second}", &document[..end]));
        assert!(shape(&graph).contains(&"second".to_owned()), "{}", &document[..end]);
    }
}

#[test]
fn a_line_of_something_else_is_told_and_skipped() {
    let text = format!(
        "starting up\n{}{{\"level\":\"info\"}}\n[1,2]\n{{\"resourceMetrics\":[{{}}]}}\n{}",
        traces(&[span("a", 1, 0, 0, 1)]),
        traces(&[span("b", 2, 0, 1, 2)])
    );
    let graph = read(text);
    assert_eq!(shape(&graph), ["a", "b"]);
    assert_eq!(
        graph.notes(),
        [
            "file:1: not a JSON object",
            "file:3: a JSON object without resourceSpans, resourceLogs, SpanName or Body",
            "file:4: not a JSON object",
            "file:5: resourceMetrics were skipped: they are not part of a graph",
        ]
    );
}

#[test]
fn a_member_of_another_type_is_told_with_its_line() {
    let text = "{\n \"resourceSpans\": [\n  {\"scopeSpans\": 5}\n ]\n}\n".to_owned();
    let graph = read(text + &traces(&[span("a", 1, 0, 0, 1)]));
    assert_eq!(shape(&graph), ["a"]);
    assert_eq!(graph.notes(), ["file:3: invalid type: integer `5`, expected a list of objects; the rest of the message was skipped"]);
}

#[test]
fn a_span_without_ids_is_left_out_and_told() {
    let graph = read_spans(&[
        with(span("no trace", 1, 0, 0, 1), json!({ "traceId": "" })),
        with(span("zeros", 1, 0, 0, 1), json!({ "traceId": "0".repeat(32) })),
        with(span("short", 1, 0, 0, 1), json!({ "spanId": "abc" })),
        with(span("no hex", 1, 0, 0, 1), json!({ "spanId": "+bcdefghbcdefghi" })),
        span("fine", 9, 0, 0, 1),
    ]);
    assert_eq!(shape(&graph), ["fine"]);
    let notes = graph.notes();
    assert_eq!(notes[0], "file:1: a span without a valid trace_id and span_id was skipped");
    assert_eq!((notes.len(), notes[3].as_str()), (4, "and 1 more unusable spans or records"));
}

#[test]
fn notes_are_bounded_whatever_is_wrong() {
    let mut text = traces(&[span("a", 1, 0, 0, 1)]);
    text += &"not OTLP\n".repeat(100_000);
    text += &"{\"resourceSpans\":[{\"scopeSpans\":\"x\"}]}\n".repeat(1_000);
    let graph = read(text);
    assert_eq!(graph.notes().len(), 8, "{:?}", graph.notes());
    assert!(graph.notes().contains(&"and 99997 more lines that are not OTLP".to_owned()));
    // Nor is a note long because of what was found.
    let long = "x".repeat(1_000_000);
    let graph = read(traces(&[span("a", 1, 0, 0, 1)]) + &format!("{{\"resourceSpans\":\"{long}\"}}"));
    assert!(graph.notes().iter().all(|note| note.len() < 1_000), "{:?}", graph.notes().len());
}

#[test]
fn a_file_in_which_nothing_is_otlp_is_an_error_that_names_it() {
    let cases: [&[u8]; 9] = [
        b"hello\nworld\n",
        b"{\"a\": 1}",
        b"[{\"resourceSpans\": []}]",
        b"{",
        b"\x7fELF\x02\x01\x01\x00\x00\x00",
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x00\x00\x00\x09\x0a\x07\x12\x05\x12\x03\x0a\x01x",
        b"\x00",
        b"   \n ",
    ];
    for bytes in cases {
        let said = refused(bytes);
        assert!(said.contains("the/file") && said.contains("resourceSpans"), "{said}");
    }
    assert!(refused(b"\x28\xb5\x2f\xfdxxxx").contains("zstd"));
    assert!(refused(b"\x00\x00\x01\x00\x28\xb5\x2f\xfdxxxx").contains("zstd"));
    assert!(refused(b"\x1f\x8b\x08\x00nothing").contains("cannot be read"));
    // An exporter creates its file before it has anything to write.
    assert_eq!(read("").notes(), ["file: empty: no message and no row"]);
    // An error leaves what was read before as it was.
    let mut reader = Reader::new();
    reader.read("good", traces(&[span("a", 1, 0, 0, 1)]).as_bytes()).unwrap();
    reader.read("bad", &b"hello\n"[..]).unwrap_err();
    let graph = reader.graph();
    assert_eq!((shape(&graph).len(), graph.notes().len()), (1, 0));
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error_that_names_it() {
    let error = ToolCallGraph::read_files(["no/such/file.jsonl"]).unwrap_err();
    assert!(error.is_unreadable() && error.to_string().contains("no/such/file.jsonl"), "{error}");
    let error = ToolCallGraph::read_files([env!("CARGO_MANIFEST_DIR")]).unwrap_err();
    assert!(error.to_string().contains("is a directory"), "{error}");
}

/// Gives its bytes one by one, then fails.
struct Failing<'a>(&'a [u8]);

impl Read for Failing<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.0.split_first() {
            Some((byte, rest)) => {
                out[0] = *byte;
                self.0 = rest;
                Ok(1)
            }
            None => Err(io::Error::other("the disk is gone")),
        }
    }
}

#[test]
fn an_error_of_the_source_keeps_what_was_read() {
    let text = traces(&[span("a", 1, 0, 0, 1)]);
    let mut reader = Reader::new();
    reader.read("file", Failing(text.as_bytes())).unwrap();
    let graph = reader.graph();
    assert_eq!(shape(&graph), ["a"]);
    assert_eq!(graph.notes(), ["file: could not be read to its end: the disk is gone"]);
    let error = Reader::new().read("file", Failing(b"")).unwrap_err();
    assert!(error.to_string().contains("the disk is gone"), "{error}");
}

#[test]
fn nesting_without_end_is_no_recursion_without_end() {
    let deep = |open: &str, close: &str, levels| open.repeat(levels) + &close.repeat(levels);
    let good = traces(&[span("a", 1, 0, 0, 1)]);
    for bytes in [
        good.clone() + &"[".repeat(1_000_000),
        good.clone() + &"{\"a\":".repeat(1_000_000),
        good.clone() + "{\"resourceSpans\":" + &"[".repeat(1_000_000) + "\n" + &good,
        good.clone() + "{\"resourceSpans\":[{\"x\":" + &"[".repeat(1_000_000) + "\n" + &good,
        good.clone() + "{\"resourceSpans\":[{\"x\":" + &deep("[", "]", 1_000_000) + "}]}\n" + &good,
    ] {
        assert_eq!(shape(&read(bytes)), ["a"]);
    }
    // A value that is nested too deeply is truncated, and nothing else of its span.
    let value = deep("{\"arrayValue\":{\"values\":[", "]}}", 500);
    let span = span("b", 2, 0, 0, 1).to_string();
    let attributes = format!(",\"attributes\":[{{\"key\":\"k\",\"value\":{value}}}]}}");
    let span = format!("{}{attributes}", &span[..span.len() - 1]);
    let graph = read(format!("{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{span}]}}]}}]}}"));
    let value = &node(&graph, "b").call().attributes[0].1;
    assert_eq!(*value, "[".repeat(16) + "…" + &"]".repeat(16));
}

#[test]
fn a_damaged_protobuf_message_costs_no_other() {
    let span = |id: u8| {
        let mut span = vec![10, 16];
        span.extend([7; 16]);
        span.extend([18, 8]);
        span.extend([id; 8]);
        span
    };
    let message = |span: &[u8]| {
        let within = |bytes: &[u8], field: u8| [&[field << 3 | 2, bytes.len() as u8], bytes].concat();
        within(&within(&within(span, 2), 2), 1)
    };
    let frame = |message: &[u8]| [&(message.len() as u32).to_be_bytes()[..], message].concat();
    let mut damaged = message(&span(1));
    // A field that claims to be longer than its message.
    damaged[3] = 0x7f;
    let bytes = [frame(&message(&span(2))), frame(&damaged), frame(&message(&span(3)))].concat();
    let graph = read(&bytes);
    assert_eq!(graph.roots().len(), 2);
    assert!(graph.notes()[0].contains("was skipped from byte"), "{:?}", graph.notes());
    for end in 1..bytes.len() {
        // Any outcome but a panic; whole messages are there.
        let mut reader = Reader::new();
        let is_read = reader.read("file", &bytes[..end]).is_ok();
        let whole = usize::from(end >= 4 + message(&span(2)).len());
        assert!(!is_read || reader.graph().roots().len() >= whole, "{end}");
    }
    // Ids of a wrong length make neither a span nor a record.
    let mut short = span(1);
    short.truncate(18);
    let graph = read([frame(&message(&span(2))), frame(&message(&short))].concat());
    assert!(graph.notes()[0].contains("neither a span"), "{:?}", graph.notes());
}

#[test]
fn ids_of_records_are_none_where_they_are_no_ids() {
    let text = logs(&[
        with(record("a", 1, 0, 9), json!({ "spanId": "" })),
        with(record("b", 1, 1, 9), json!({ "traceId": "0".repeat(32) })),
        record("c", 1, 2, 9),
    ]);
    let graph = read(text);
    let ids: Vec<_> = graph
        .unplaced_records()
        .map(|record| (record.trace_id.map(|id| id.to_string()), record.span_id.map(|id| id.to_string())))
        .collect();
    let (trace, span) = (Some(TRACE.to_owned()), Some("0000000000000001".to_owned()));
    assert_eq!(ids, [(trace.clone(), None), (None, span.clone()), (trace, span)]);
}

/// Guarantees: a file of which nothing can be used is an error, which says why; one of which something can be
/// used is not.
#[test]
fn a_file_without_anything_usable_is_an_error() {
    let useless = traces(&[with(span("a", 1, 0, 0, 1), json!({ "spanId": "not an id" }))]);
    let error = refused(useless.as_bytes());
    assert!(error.contains("nothing that can be used") && error.contains("without a valid"), "{error}");
    let malformed = traces(&[with(span("a", 1, 0, 0, 1), json!({ "startTimeUnixNano": "abc" }))]);
    let error = refused(malformed.as_bytes());
    assert!(error.contains("nothing that can be used"), "{error}");
    let graph = read(useless + "\n" + &traces(&[span("b", 2, 0, 0, 1)]));
    assert_eq!((shape(&graph), graph.notes().len()), (vec!["b".to_owned()], 1));
}
