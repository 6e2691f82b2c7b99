//! Spans take the pipeline, like records: the same files, receivers and counts.

use std::fs;

use crate::http::{response, Act, Receiver};
use crate::json_lines::items;
use crate::process::{directory, isolated};
use crate::{finish, work, LONG};

/// How many spans a file of JSON lines has.
fn spans_in(path: &std::path::Path) -> usize {
    items(path, ["resourceSpans", "scopeSpans", "spans"]).len()
}

/// Guarantees: a file of spans that is deleted or moved is made anew, and what follows goes there, as for
/// records.
#[test]
fn a_deleted_or_moved_file_of_spans_is_made_anew() {
    let child = isolated(|_| {
        let directory = directory("spans");
        let guard = spanlog::builder().with_json_lines(&directory).install().unwrap();
        let (traces, moved) = (directory.join("traces.jsonl"), directory.join("moved"));
        work();
        guard.flush(LONG).unwrap();
        assert_eq!(spans_in(&traces), 1);
        fs::remove_dir_all(&directory).unwrap();
        for _ in 0..5 {
            work();
        }
        guard.flush(LONG).unwrap();
        assert_eq!(spans_in(&traces), 5);
        fs::rename(&traces, &moved).unwrap();
        work();
        let report = finish(&guard);
        assert_eq!((spans_in(&moved), spans_in(&traces)), (5, 1));
        for output in &report.outputs {
            assert_eq!((output.taken, output.exported, output.failed, output.pending), (7, 7, 0, 0));
        }
        assert_eq!(report.outputs.len(), 2);
        fs::remove_dir_all(directory).unwrap();
    });
    if let Some(child) = child {
        child.run(&[]);
    }
}

/// Guarantees: on request, spans go through the SDK's processors, and the report adds up for them, too.
#[test]
fn the_sdk_road_for_spans_is_one_call_away() {
    let child = isolated(|part| {
        let guard = spanlog::builder().with_sdk_spans(part == "sdk").install().unwrap();
        work();
        let flushed = guard.flush(LONG);
        assert_eq!(flushed.is_err(), part == "sdk" || part == "direct");
        work();
        let report = guard.shutdown(LONG);
        for output in &report.outputs {
            assert_eq!((output.taken, output.failed, output.pending), (2, 2, 0), "{report}");
        }
        assert_eq!(report.outputs.len(), 2);
        assert_eq!(report.stats.delivered, 0);
    });
    let Some(child) = child else { return };
    for part in ["sdk", "direct"] {
        let receiver = Receiver::acting(|_| Act::Send(response(400, &[], b"no")));
        child.part(part).run_to(&receiver.url(), &[]);
    }
}

/// Guarantees: events up to the level are copied into their span, of those that the filter lets pass.
#[test]
fn events_are_copied_into_spans_on_request() {
    let child = isolated(|part| {
        let directory = directory("span-events");
        let builder = spanlog::builder().with_json_lines(&directory);
        let builder = match part {
            "default" => builder,
            _ => builder.with_span_events(tracing::Level::DEBUG),
        };
        let guard = builder.install().unwrap();
        tracing::info_span!("span").in_scope(|| {
            tracing::warn!("warning");
            tracing::debug!("below the level of the installation");
        });
        finish(&guard);
        let spans = items(&directory.join("traces.jsonl"), ["resourceSpans", "scopeSpans", "spans"]);
        let events = spans[0]["events"].as_array().cloned().unwrap_or_default();
        let names: Vec<_> = events.iter().map(|event| event["name"].as_str().unwrap()).collect();
        assert_eq!(names, if part == "default" { &[][..] } else { &["warning"] });
        fs::remove_dir_all(directory).unwrap();
    });
    let Some(child) = child else { return };
    for part in ["default", "copied"] {
        child.part(part).run(&[]);
    }
}

/// Guarantees: settings of the pipelines hold for both signals.
#[test]
fn settings_of_the_pipelines_hold_for_both_signals() {
    let child = isolated(|_| {
        let guard = spanlog::builder()
            .with_pipeline(|pipeline| {
                pipeline
                    .with_compression(spanlog::otlp::Compression::Gzip)
                    .with_header_provider(|| vec![("x-token".to_owned(), "fresh".to_owned())])
            })
            .install()
            .unwrap();
        work();
        finish(&guard);
    });
    let Some(child) = child else { return };
    let (receiver, _) = child.run_with_receiver(&[]);
    assert_eq!((receiver.records().len(), receiver.spans().len()), (1, 1));
    for request in receiver.requests() {
        assert_eq!(request.header("content-encoding"), Some("gzip"), "{}", request.path());
        assert_eq!(request.header("x-token"), Some("fresh"), "{}", request.path());
    }
}
