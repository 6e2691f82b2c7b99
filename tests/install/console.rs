//! What the console shows, and layers of the user's own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use serde_json::Value;
use spanlog::install::ConsoleFormat;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::Layer;

use crate::process::isolated;
use crate::{finish, work};

const NOTHING_SENT: [(&str, &str); 2] = [("OTEL_LOGS_EXPORTER", "none"), ("OTEL_TRACES_EXPORTER", "none")];

/// Guarantees: a message of several lines does not look like several lines, and but for the line that says
/// what was installed, the first line is the program's own.
#[test]
fn a_line_break_in_a_message_fakes_no_line() {
    let child = isolated(|_| {
        let guard = spanlog::builder().with_level(tracing::Level::DEBUG).install().unwrap();
        tracing::info!(target: "app", "first\n2026-11-28T00:00:00Z ERROR app: faked");
        finish(&guard);
    });
    let Some(child) = child else { return };
    let written = child.run(&NOTHING_SENT).stderr;
    let lines = written.lines().filter(|line| !line.is_empty() && !line.contains("spanlog::install"));
    let lines: Vec<_> = lines.collect();
    assert!(lines[0].ends_with("app: first"), "{written}");
    assert_eq!(lines[1], "    2026-11-28T00:00:00Z ERROR app: faked", "{written}");
}

/// Guarantees: on request a line has the ids of its span, which are the record's, or is a JSON object.
#[test]
fn lines_have_ids_or_are_json_on_request() {
    let child = isolated(|part| {
        let builder = spanlog::builder();
        let builder = match part {
            "json" => builder.with_console_format(ConsoleFormat::Json),
            part => builder.with_console_ids(part == "ids"),
        };
        let guard = builder.install().unwrap();
        work();
        finish(&guard);
    });
    let Some(child) = child else { return };
    let line = |part: &str| {
        let written = child.part(part).run(&NOTHING_SENT).stderr;
        written.lines().find(|line| line.contains("working")).unwrap().to_owned()
    };
    let with_ids = line("ids");
    let id = |name: &str| with_ids.split(name).nth(1).unwrap().split(' ').next().unwrap().len();
    assert_eq!((id(" trace_id="), id(" span_id=")), (32, 16), "{with_ids}");
    assert!(!line("plain").contains("trace_id"));
    let json: Value = serde_json::from_str(&line("json")).unwrap();
    assert_eq!(json["fields"]["message"], "working", "{json}");
}

/// Guarantees: lines of jobs of one kind that run side by side can be told apart, and an id fakes no line.
#[test]
fn a_line_names_its_job() {
    let child = isolated(|_| {
        let guard = spanlog::builder().install().unwrap();
        for id in ["plan 6", "a\nb"] {
            let execution = spanlog::job::execution(spanlog::JobMetadata::new(id, "exec"), "plan");
            execution.in_scope(|| execution.step("init").in_scope(|| tracing::info!("inside {id:?}")));
            drop(execution);
        }
        tracing::info!("outside");
        finish(&guard);
    });
    let Some(child) = child else { return };
    let written = child.run(&NOTHING_SENT).stderr;
    let line = |body: &str| written.lines().find(|line| line.ends_with(body)).unwrap();
    assert!(line("inside \"plan 6\"").contains(" job.plan (plan 6):step.init"), "{written}");
    assert!(line("inside \"a\\nb\"").contains(r" job.plan (a\nb):step.init"), "{written}");
    assert!(!line("outside").contains("job."), "{written}");
}

struct Counting(Arc<AtomicUsize>);

impl<S: Subscriber> Layer<S> for Counting {
    fn on_event(&self, _event: &Event<'_>, _ctx: Context<'_, S>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Guarantees: a layer of the user's own gets what the filter lets pass.
#[test]
fn a_layer_of_ones_own_gets_the_events() {
    let child = isolated(|_| {
        let count = Arc::new(AtomicUsize::new(0));
        let guard = spanlog::builder().with_layer(Counting(count.clone())).install().unwrap();
        tracing::info!("seen");
        tracing::debug!("filtered");
        assert_eq!(count.load(Ordering::Relaxed), 1);
        finish(&guard);
    });
    if let Some(child) = child {
        child.run(&NOTHING_SENT);
    }
}

/// Guarantees: what is logged after the guard was dropped, or where it was never kept, is counted and
/// told once.
#[test]
fn a_guard_that_was_not_kept_is_told_at_the_first_event() {
    let child = isolated(|_| {
        let _ = spanlog::builder().install().unwrap();
        tracing::info!("lost");
        tracing::info!("lost, too");
    });
    let Some(child) = child else { return };
    let (_, written) = child.run_with_receiver(&[]);
    assert_eq!(written.stderr.matches("keep its guard").count(), 1, "{}", written.stderr);
}
