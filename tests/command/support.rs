//! Running commands under a subscriber, and their records and spans.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use opentelemetry::logs::AnyValue;
use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::SpanData;
use spanlog::op::Command;

use crate::fixture::capture::Capture;
use crate::fixture::spans::ids_of;
use crate::fixture::{attributes, Arrangement, Fixture, Spans, USUAL};

/// A shell script as the op `sh.test`.
pub(crate) fn sh(script: &str) -> Command {
    Command::new("sh").args(["-c", script]).operation("test")
}

/// Without a span layer.
pub(crate) fn without_spans() -> Fixture {
    Arrangement { spans: Spans::None, ..USUAL }.build()
}

/// Passes the body of each record to `observe` on the thread that emits it, and keeps none.
pub(crate) fn observing(observe: impl Fn(&str) + Send + Sync + 'static) -> Fixture {
    USUAL.build_capturing(Capture::observing(move |record| {
        let Some(AnyValue::String(text)) = record.body() else { panic!("{record:?}") };
        observe(text.as_str());
    }))
}

impl Fixture {
    /// Runs `work` on a current-thread runtime under this subscriber, and fails if it would hang.
    pub(crate) fn block_on<T, F: Future<Output = T>>(&self, work: impl FnOnce() -> F) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        self.run(|| runtime.block_on(async { not_for_ever(work()).await }))
    }

    /// Waits until a line was logged.
    async fn logged(&self, text: &str) {
        while !self.bodies().iter().any(|known| known == text) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Polls a run until it has logged this line, which must happen before it ends, and drops it.
    pub(crate) async fn drop_when_logged(&self, run: impl Future<Output: Debug>, text: &str) {
        tokio::select! {
            ended = run => panic!("{ended:?}"),
            () = self.logged(text) => {}
        }
    }

    /// The one finished span.
    pub(crate) fn only_span(&self) -> SpanData {
        let mut spans = self.spans();
        assert_eq!(spans.len(), 1, "{spans:#?}");
        spans.remove(0)
    }

    /// The attributes of the one finished span.
    pub(crate) fn attributes(&self) -> BTreeMap<String, String> {
        attributes(&self.only_span())
    }
}

pub(crate) fn ids(span: &SpanData) -> Option<(TraceId, SpanId)> {
    Some(ids_of(span))
}

pub(crate) async fn not_for_ever<F: Future>(work: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(120), work).await.expect("it hangs")
}

/// Waits until a process has ended, reaped or not.
pub(crate) async fn gone(pid: &str) {
    let stat = format!("/proc/{pid}/stat");
    let is_alive = || std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
    while is_alive() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Kills a process that a test left running on purpose.
pub(crate) fn kill(pid: &str) {
    let _ = std::process::Command::new("kill").args(["-9", pid]).status();
}
