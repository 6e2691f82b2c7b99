//! A view as lines: one for each start and end, in order with the console's lines.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Instant;

use super::output::Output;
use super::pace::{CPU_SHARE, INTERVAL};
use super::view_state::ViewState;
use crate::graph::call::Outcome;
use crate::graph::duration::format_duration;
use crate::graph::text::line::{mark_and_outcome, path};
use crate::graph::text::pen::{Pen, Style};
use crate::graph::tool_call_graph::Node;

/// A plain view.
pub(super) struct Plain(Mutex<State>);

struct State {
    view_state: ViewState,
    out: Box<dyn Write + Send>,
    color: bool,
    /// Before that, console lines are printed without reporting changes first: reporting must not
    /// take more than its share of the time, however many spans there are.
    next_report: Instant,
    error: Option<io::Error>,
}

impl Plain {
    pub(super) fn new(view_state: ViewState, out: Box<dyn Write + Send>, color: bool) -> Self {
        Self(Mutex::new(State { view_state, out, color, next_report: Instant::now(), error: None }))
    }

    /// Prints what started and ended since the last report.
    pub(super) fn report(&self) -> io::Result<()> {
        let mut state = self.state();
        match state.error.take() {
            Some(error) => Err(error),
            None => state.report(),
        }
    }

    /// Reports before a console line is printed, so that the line comes after the start of its
    /// span. Called on the thread that logs, so not if the last report was recent and took long.
    pub(super) fn report_before_line(&self) {
        // Does not wait: the thread may hold the lock of the output, or this may be a log line of
        // the filter, which is called while reporting.
        let mut state = match self.0.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(state)) => state.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        if state.view_state.has_changes() && Instant::now() >= state.next_report {
            if let Err(error) = state.report() {
                state.error.get_or_insert(error);
            }
        }
    }

    /// Prints the summary.
    pub(super) fn finish(&self, output: &Output) -> io::Result<()> {
        self.report()?;
        let state = &mut *self.state();
        writeln!(state.out)?;
        output.conclude(&state.view_state.complete(), &mut state.out)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn report(&mut self) -> io::Result<()> {
        let started = Instant::now();
        let Self { view_state, color, .. } = self;
        let changes = view_state.changes(|node| report_line(node, Pen::new(usize::MAX, *color)) + "\n");
        self.next_report = Instant::now() + (started.elapsed() * CPU_SHARE).min(INTERVAL);
        self.out.write_all(changes.as_bytes())?;
        self.out.flush()
    }
}

/// The line of a span that started or ended.
fn report_line(node: Node<'_>, pen: Pen) -> String {
    let ((style, mark), end) = mark_and_outcome(node);
    let pen = pen.write(style, mark).space(1);
    let pen = match node.call().outcome {
        Outcome::Running => pen.write(Style::Faint, &path(node)),
        _ => {
            let took = format_duration(node.call().duration().unwrap_or_default());
            pen.write(Style::Plain, &path(node))
                .space(2)
                .write(Style::Faint, &took)
                .space(2)
                .write(style, &end)
        }
    };
    pen.finish().text
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]
mod tests {
    use std::sync::{Arc, OnceLock};

    use opentelemetry::trace::{Tracer, TracerProvider};
    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::*;
    use crate::graph::Recorder;

    #[derive(Clone, Default)]
    struct Out(Arc<Mutex<Vec<u8>>>);

    impl Write for Out {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Guarantees: a start is reported before a line is printed, even if the filter itself prints
    /// lines.
    #[test]
    fn what_started_is_told_before_a_line_whatever_the_filter_does() {
        let recorder = Recorder::default();
        let provider = SdkTracerProvider::builder().with_span_processor(recorder.clone()).build();
        let this: Arc<OnceLock<Arc<Plain>>> = Arc::default();
        let of_filter = Arc::clone(&this);
        let filter = move |_: &crate::graph::Call| {
            of_filter.get().unwrap().report_before_line();
            true
        };
        let out = Out::default();
        let view_state = ViewState::new(recorder, Some(Box::new(filter)));
        let plain = this.get_or_init(|| Arc::new(Plain::new(view_state, Box::new(out.clone()), false)));
        plain.report_before_line();
        assert!(out.0.lock().unwrap().is_empty());
        let span = provider.tracer("test").start("clone");
        plain.report_before_line();
        assert_eq!(out.0.lock().unwrap().as_slice(), "… clone\n".as_bytes());
        drop(span);
        plain.report().unwrap();
        assert!(String::from_utf8_lossy(&out.0.lock().unwrap()).contains("\n✓ clone  "));
    }
}
