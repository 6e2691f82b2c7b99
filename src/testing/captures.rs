//! [`capture()`]: what a test logs and which spans it starts.

use std::sync::Arc;

use opentelemetry::Context;

use crate::record::severity_of_level;
use crate::testing::kept::{Contents, Kept};
use crate::testing::query::Query;
use crate::testing::record::Record;
use crate::testing::span::Span;
use crate::testing::{correlated, loss, route, subscriber, table, thread_stack};

/// Captures what this test logs and which spans it starts, from now until the capture is dropped.
///
/// All levels are captured, whatever `RUST_LOG` says. The [module](super) says which test a span or
/// a record belongs to. Beside the subscriber, the first capture sets what
/// [`install`](crate::install::Builder::install) does: the global tracer provider, the propagator,
/// the logger of the `log` crate and the panic hook.
///
/// ```
/// let capture = spanlog::testing::capture();
/// tracing::info_span!("deploy").in_scope(|| tracing::warn!(replicas = 3, "slow"));
///
/// let record = capture.record("slow");
/// assert_eq!(record.integer("replicas"), Some(3));
/// assert_eq!(record.span_id, Some(capture.span("deploy").span_id));
/// ```
///
/// # Panics
///
/// If the process has another global subscriber.
#[track_caller]
pub fn capture() -> Capture {
    assert!(
        subscriber::is_set(),
        "this process has a global subscriber already, so nothing can be captured. A test that captures must \
         not call `install`, `init` or `set_global_default`, and neither may other tests of its binary: give those \
         a test target of their own"
    );
    Capture(route::begin())
}

/// The records and spans of a test. Returned by [`capture()`].
#[derive(Debug)]
#[must_use = "a capture ends when it is dropped; write `let capture = …`"]
pub struct Capture(Arc<Kept>);

impl Capture {
    /// Keeps only records of this level and more severe ones. Default: all.
    pub fn with_level(self, level: tracing::Level) -> Self {
        self.0.set_least(severity_of_level(level));
        self
    }

    /// The records so far, in the order in which they were logged.
    pub fn records(&self) -> Vec<Record> {
        self.contents().records
    }

    /// The spans so far, in the order in which they were started, those that have not ended
    /// included.
    pub fn spans(&self) -> Vec<Span> {
        self.contents().spans
    }

    /// The only record with this message.
    ///
    /// # Panics
    ///
    /// If there is none, or more than one.
    #[track_caller]
    pub fn record(&self, message: &str) -> Record {
        let contents = self.contents();
        let count = contents.records.iter().filter(|record| record.body == message).count();
        match Query::new(message).find(&contents) {
            Ok(record) if count == 1 => record,
            Ok(_) => fail(&format!("{count} records {message:?}, and not one\n\n{}", table::of(&contents))),
            Err(failure) => fail(&failure),
        }
    }

    /// The only span with this name.
    ///
    /// # Panics
    ///
    /// If there is none, or more than one.
    #[track_caller]
    pub fn span(&self, name: &str) -> Span {
        let contents = self.contents();
        let mut found = contents.spans.iter().filter(|span| span.name == name);
        match (found.next(), found.count()) {
            (Some(span), 0) => span.clone(),
            (None, _) => fail(&format!("no span {name:?}\n\n{}", table::of(&contents))),
            (_, more) => {
                fail(&format!("{} spans {name:?}, and not one\n\n{}", more + 1, table::of(&contents)))
            }
        }
    }

    /// How many spans and records that may be of this test were attributed to none while this
    /// capture was alive.
    pub fn unattributed(&self) -> usize {
        self.contents().unattributed.count
    }

    /// Runs `work` on this thread for this capture. Threads that it starts belong to the capture,
    /// too, on Linux.
    pub fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        in_scope(&self.0, work)
    }

    /// Wraps `work` so that it runs for this capture, on whatever thread it is called.
    ///
    /// ```
    /// let capture = spanlog::testing::capture();
    /// let work = capture.carry(|| tracing::info!("on a thread"));
    /// std::thread::spawn(work).join().unwrap();
    /// capture.record("on a thread");
    /// ```
    pub fn carry<T, F: FnOnce() -> T>(&self, work: F) -> impl FnOnce() -> T + use<T, F> {
        let kept = self.0.clone();
        move || in_scope(&kept, work)
    }

    /// For [`assert_record!`](crate::assert_record).
    #[doc(hidden)]
    #[track_caller]
    pub fn assert_record(&self, query: &Query) -> Record {
        match query.find(&self.contents()) {
            Ok(record) => record,
            // No closure: the panic is to have the place of the test.
            Err(failure) => fail(&failure),
        }
    }

    /// For [`assert_correlated!`](crate::assert_correlated).
    #[doc(hidden)]
    #[track_caller]
    pub fn assert_correlated(&self) {
        if let Some(failure) = correlated::failure(&self.contents()) {
            fail(&failure);
        }
    }

    /// For [`assert_no_loss!`](crate::assert_no_loss).
    #[doc(hidden)]
    #[track_caller]
    pub fn assert_no_loss(&self) {
        if let Some(failure) = loss::failure(&self.contents()) {
            fail(&failure);
        }
    }

    fn contents(&self) -> Contents {
        self.0.contents()
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        route::end(&self.0);
    }
}

fn in_scope<T>(kept: &Arc<Kept>, work: impl FnOnce() -> T) -> T {
    struct Left<'a>(&'a Arc<Kept>);
    impl Drop for Left<'_> {
        fn drop(&mut self) {
            thread_stack::leave(self.0);
        }
    }
    thread_stack::enter(kept.clone(), true);
    let _left = Left(kept);
    work()
}

/// Panics with the text of a failure. That panic is no record: it is not of the code under test.
#[track_caller]
fn fail(failure: &str) -> ! {
    let _suppressed = Context::enter_telemetry_suppressed_scope();
    panic!("{failure}");
}
