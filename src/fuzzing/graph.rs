//! What must hold of graphs that are read back.

use std::io;
use std::io::Read;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use ruzstd::encoding::{compress_to_vec, CompressionLevel};
use unicode_width::UnicodeWidthStr;

use crate::graph::{Reader, ToolCallGraph};
use crate::otlp::json::request_to_json;
use crate::otlp::signal::Signal;

const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Reads any bytes as a file. The first of them says in pieces of which size they come, and how
/// much is kept. The pieces change nothing, but for gzip that is damaged: flate2 drops what it has
/// decompressed in the call that finds the damage.
pub fn read(input: &[u8]) {
    let Some((first, bytes)) = input.split_first() else { return };
    let limit = match first {
        0..=127 => 1 << 24,
        _ => 1 << 12,
    };
    let piece = usize::from(first % 128) + 1;
    let in_pieces = read_in_pieces(bytes, piece, limit);
    let at_once = read_in_pieces(bytes, usize::MAX, limit);
    let is_whole =
        |graph: &Result<ToolCallGraph, String>| matches!(graph, Ok(graph) if graph.notes().is_empty());
    if bytes.starts_with(&GZIP) && !(is_whole(&in_pieces) && is_whole(&at_once)) {
        return [in_pieces, at_once].into_iter().flatten().for_each(draw);
    }
    match (in_pieces, at_once) {
        (Ok(in_pieces), Ok(at_once)) => {
            assert_eq!(dump(&in_pieces), dump(&at_once));
            assert_eq!(in_pieces.notes(), at_once.notes());
            draw(in_pieces);
        }
        (in_pieces, at_once) => {
            let (in_pieces, at_once) = (in_pieces.expect_err("neither"), at_once.expect_err("neither"));
            assert_eq!(in_pieces, at_once);
        }
    }
}

fn read_in_pieces(bytes: &[u8], piece: usize, limit: usize) -> Result<ToolCallGraph, String> {
    let mut reader = Reader::new().with_memory_limit(limit);
    match reader.read("file", Pieces { bytes, piece }) {
        Ok(()) => Ok(reader.graph()),
        Err(error) => {
            assert!(error.is_unreadable());
            Err(error.to_string())
        }
    }
}

struct Pieces<'a> {
    bytes: &'a [u8],
    piece: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let (taken, rest) = self.bytes.split_at(self.bytes.len().min(self.piece).min(out.len()));
        out[..taken.len()].copy_from_slice(taken);
        self.bytes = rest;
        Ok(taken.len())
    }
}

fn draw(graph: ToolCallGraph) {
    let text = graph.to_text();
    assert!(text.chars().all(|character| character == '\n' || !character.is_control()), "{text:?}");
    let spans = graph.nodes().count();
    let others = graph.notes().len() + usize::from(graph.unplaced_records().len() > 0);
    assert_eq!(text.lines().count(), spans + others, "{text}");
    let narrow = graph.text().with_width(40).to_string();
    assert!(narrow.lines().take(spans).all(|line| line.width() <= 40), "{narrow}");
    assert!(graph.to_mermaid().chars().count() <= 50_000);
    let records = graph.nodes().map(|node| node.own_records().len()).sum::<usize>();
    let roots = graph.roots().map(|root| root.records().len()).sum::<usize>();
    assert_eq!(records, roots);
    let hidden = graph.without_runner_spans();
    assert!(hidden.nodes().count() <= spans);
    for node in hidden.nodes() {
        assert!(node.children().all(|child| child.parent() == Some(node)));
    }
}

/// Takes `input` as a request of traces, or else of logs, and reads it in each of its forms.
pub fn forms(input: &[u8]) {
    let mut traces = ExportTraceServiceRequest::decode(input).unwrap_or_default();
    for scope in traces.resource_spans.iter_mut().flat_map(|resource| &mut resource.scope_spans) {
        // Without ids, protobuf does not say what is a span and what a record.
        scope.spans.retain(|span| is_id(&span.trace_id, 16) && is_id(&span.span_id, 8));
    }
    let bytes = traces.encode_to_vec();
    same(&bytes, &request_to_json(Signal::Traces, &bytes).expect("prost wrote it"));

    let logs = ExportLogsServiceRequest::decode(input).unwrap_or_default();
    let bytes = logs.encode_to_vec();
    same(&bytes, &request_to_json(Signal::Logs, &bytes).expect("prost wrote it"));
}

fn is_id(id: &[u8], len: usize) -> bool {
    id.len() == len && id.iter().any(|byte| *byte != 0)
}

fn same(protobuf: &[u8], json: &str) {
    // The one field that is skipped by us; profiles use it, traces and logs do not.
    if protobuf.is_empty() || json.contains("Strindex\":") {
        return;
    }
    let framed = |message: &[u8]| [&(message.len() as u32).to_be_bytes()[..], message].concat();
    let zstd = |bytes: &[u8]| compress_to_vec(bytes, CompressionLevel::Fastest);
    let read = |form: &[u8]| read_in_pieces(form, usize::MAX, 1 << 30).map(|graph| dump(&graph));
    let Ok(bare) = read(protobuf) else {
        // A message without a span or a record has nothing that could be told from other bytes.
        assert!(!json.contains("\"spans\":[") && !json.contains("\"logRecords\":["), "{json}");
        return;
    };
    assert_eq!(read(json.as_bytes()).as_ref(), Ok(&bare), "{json}");
    for form in
        [framed(protobuf), zstd(json.as_bytes()), framed(&zstd(protobuf)), framed(&zstd(json.as_bytes()))]
    {
        assert_eq!(read(&form).as_ref(), Ok(&bare), "{json}");
    }
}

/// Everything in a graph but its notes, whose places differ from form to form.
fn dump(graph: &ToolCallGraph) -> String {
    let mut text = String::new();
    for node in graph.nodes() {
        text += &format!("{:?} {:?}\n", node.call(), node.own_counts());
        node.own_records().for_each(|record| text += &format!("{record:?}\n"));
    }
    graph.unplaced_records().for_each(|record| text += &format!("{record:?}\n"));
    text
}
