//! The trial: four jobs at once, 30 ops in parallel, retries, every outcome, 20,000 records. Every count,
//! outcome and order comes back, live and from the files.

#[path = "../../examples/trial/jobs.rs"]
mod jobs;

use std::collections::BTreeMap;
use std::time::Duration;

use spanlog::graph::{Outcome, Reader, Recorder, SiblingRow, ToolCallGraph};
use spanlog::tracing::dispatcher;

use self::jobs::{Trial, APPLIES};
use crate::fixture::directory;

const RECORDS: usize = 20_000;

/// How many records each apply writes.
const EACH: usize = (RECORDS - 140) / APPLIES;

#[test]
fn everything_of_four_jobs_at_once_comes_back() {
    let directory = directory("trial");
    let recorder = Recorder::default();
    let mut live = None;
    let (dispatch, guard) = spanlog::builder()
        .with_filter("debug")
        .with_console(false)
        .with_recorder(recorder.clone())
        .with_json_lines(&directory)
        .build()
        .unwrap();
    dispatcher::with_default(&dispatch, || {
        let trial = Trial { beat: Duration::from_millis(2), records: RECORDS };
        jobs::run(trial, || live = Some(recorder.graph()));
    });
    assert!(guard.shutdown(Duration::from_secs(60)).is_complete());
    let live = live.unwrap();
    let mut reader = Reader::new();
    reader.read_path(directory.join("logs.jsonl")).unwrap();
    reader.read_path(directory.join("traces.jsonl")).unwrap();
    let read = reader.graph();
    assert_eq!((live.notes().len(), read.notes().len()), (0, 0), "{:?} {:?}", live.notes(), read.notes());
    check(&live, true);
    check(&read, false);
    let _ = std::fs::remove_dir_all(directory);
}

fn check(graph: &ToolCallGraph, is_live: bool) {
    let jobs: BTreeMap<_, _> = graph.jobs().iter().map(|job| (job.title(), job.outcome())).collect();
    let watching = if is_live { Outcome::Running } else { Outcome::Ok };
    let expected = [
        ("job.deploy (deploy 7)", Outcome::Ok),
        ("job.plan (plan 6)", Outcome::Failed),
        ("job.probe (probe 8)", Outcome::Ok),
        ("job.watch (watch 9)", watching),
    ];
    assert_eq!(jobs, expected.into_iter().map(|(title, outcome)| (title.to_owned(), outcome)).collect());

    // The one that ended its job, then those that were recovered from.
    let failures = graph.failures();
    let titles: Vec<_> = failures.iter().map(|node| (node.title(), node.is_recovered())).collect();
    assert_eq!(titles[0], ("terraform apply (prod-eu-12)".to_owned(), false));
    let mut recovered: Vec<_> =
        titles[1..].iter().map(|(title, is_recovered)| (title.as_str(), *is_recovered)).collect();
    recovered.sort_unstable();
    let expected = ["curl get", "git fetch", "git fetch", "helm test", "sleep run"];
    assert_eq!(recovered, expected.map(|title| (title, true)));
    let message = |title: &str| {
        let node = failures.iter().find(|node| node.title() == title).unwrap();
        (node.call().outcome, node.call().message.clone())
    };
    assert_eq!(message("helm test"), (Outcome::Panicked, "index out of bounds: the len is 3".to_owned()));
    assert_eq!(
        message("sleep run"),
        (Outcome::TimedOut, "sleep took longer than its limit of 50ms".to_owned())
    );

    let of = |title: &str| graph.nodes().find(|node| node.title() == title).unwrap();
    assert_eq!(of("docker inspect").call().outcome, Outcome::Dropped);
    assert_eq!(of("kubectl wait").call().outcome, Outcome::Cancelled);
    assert!(
        matches!(&of("step.init").child_rows()[..], [SiblingRow::Attempts(attempts)] if attempts.len() == 3)
    );
    let rows = of("step.apply").child_rows();
    let [SiblingRow::Alike(applies)] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!(applies.len(), APPLIES);
    for number in 0..APPLIES {
        let apply = of(&format!("terraform apply (prod-eu-{number})"));
        let records: Vec<_> = apply.own_records().map(|record| record.body.as_str()).collect();
        let failing = usize::from(apply.fails());
        assert_eq!((records.len(), failing), (EACH + 2 * failing, usize::from(number == 12)));
        for (line, body) in records.iter().take(EACH).enumerate() {
            assert_eq!(*body, format!("aws_instance.web[{line}]: still creating… [{line} s elapsed]"));
        }
    }
    let records: usize = graph.nodes().map(|node| node.own_records().len()).sum();
    assert_eq!(records, APPLIES * EACH + 2 + 3 + 120 + 2 + 1);
    assert!(records > 19_900 && graph.unplaced_records().len() == 0);

    let text = graph.text().with_folding(true).to_string();
    assert!(text.contains("terraform apply ×26"), "{text}");
    assert!(text.contains("git fetch") && text.contains("ok at the 3rd attempt"), "{text}");
    let summary = graph.to_markdown();
    let verdict = if is_live { "4 jobs: 1 failed, 1 running" } else { "4 jobs: 1 failed" };
    assert!(summary.starts_with(&format!("## ✗ `{verdict}; failed: job.plan (plan 6)`\n")), "{summary}");
    assert!(summary.contains("\nError: no such subnet: subnet-0a1b2c3d\n"), "{summary}");
}
