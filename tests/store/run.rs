//! The run of the trial, with what was drawn live and reported.

#[path = "../../examples/trial/jobs.rs"]
mod jobs;

use std::collections::BTreeMap;
use std::time::Duration;

use spanlog::graph::{RecordLevel, Recorder, ToolCallGraph};
use spanlog::install::{Builder, Report};
use spanlog::tracing::dispatcher;

/// The numbers of what a run has.
#[derive(Debug, PartialEq)]
pub struct Counts {
    pub spans: u64,
    pub records: u64,
    pub by_level: BTreeMap<RecordLevel, u64>,
    /// By tool and operation: calls, failed ones, and records.
    pub by_op: BTreeMap<(String, String), [u64; 3]>,
}

pub struct Run {
    pub live: ToolCallGraph,
    report: Report,
}

impl Run {
    pub fn record(with_output: impl FnOnce(Builder) -> Builder) -> Self {
        let recorder = Recorder::default();
        let builder = spanlog::builder().with_service_name("runner").with_filter("debug").with_console(false);
        let (dispatch, guard) = with_output(builder).with_recorder(recorder.clone()).build().unwrap();
        // A little more than 20,000, of which each op has the same number.
        let trial = jobs::Trial { beat: Duration::from_millis(2), records: 20_040 };
        dispatcher::with_default(&dispatch, || jobs::run(trial, || {}));
        let live = recorder.graph();
        let report = guard.shutdown(Duration::from_secs(60));
        assert!(report.is_complete(), "{report}");
        let run = Self { live, report };
        assert!(run.records() > 20_000 && run.spans() > 40, "{} {}", run.records(), run.spans());
        run
    }

    /// How many records were delivered, by the report.
    pub fn records(&self) -> u64 {
        self.exported("logs")
    }

    /// How many spans were delivered, by the report.
    pub fn spans(&self) -> u64 {
        self.exported("traces")
    }

    fn exported(&self, signal: &str) -> u64 {
        let outputs = self.report.outputs.iter().filter(|output| output.signal == signal);
        outputs.map(|output| output.exported).sum()
    }

    /// The totals as reported, the others as drawn live.
    pub fn counts(&self) -> Counts {
        let (mut by_level, mut by_op) = (BTreeMap::new(), BTreeMap::<_, [u64; 3]>::new());
        for node in self.live.nodes() {
            let levels = RecordLevel::ALL.map(|level| (level, node.own_counts().of(level)));
            for (level, count) in levels.into_iter().filter(|(_, count)| *count > 0) {
                *by_level.entry(level).or_default() += count;
            }
            let call = node.call();
            let op = (call.tool.clone().unwrap_or_default(), call.operation.clone().unwrap_or_default());
            let found = [1, call.is_red().into(), node.own_counts().total()];
            by_op.entry(op).or_default().iter_mut().zip(found).for_each(|(known, found)| *known += found);
        }
        Counts { spans: self.spans(), records: self.records(), by_level, by_op }
    }
}
