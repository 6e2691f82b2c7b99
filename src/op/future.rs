//! A future inside an op.

use std::fmt::{Debug, Display};
use std::future::Future;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::op::handle::Op;
use crate::op::outcome::Outcome;
use crate::panic_message;

pin_project! {
    /// A future inside an op. Made by [`Op::instrument`] and [`run_async`](super::run_async).
    ///
    /// The op's span is current during each poll, and while the future is dropped. The op ends with
    /// the future's result, or with the outcome `cancelled` if it is dropped before that.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Instrumented<F: Future> {
        #[pin]
        future: Option<F>,
        // `None` once it has ended.
        op: Option<Op>,
        // Ends the op when the future is ready: `Op::end`, or that of a child process.
        end: fn(Op, &F::Output),
    }

    impl<F: Future> PinnedDrop for Instrumented<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(mut op) = this.op.take() {
                op.in_scope(|| this.future.set(None));
                // A panic of the future itself is handled in `poll`. One that unwinds through here
                // is unrelated.
                op.settle(Outcome::Cancelled);
            }
        }
    }
}

impl Op {
    /// Runs `future` inside the op, which ends with its result, or with the outcome `cancelled` if
    /// the future is dropped before that.
    pub fn instrument<F, T, E>(self, future: F) -> Instrumented<F>
    where
        F: Future<Output = Result<T, E>>,
        E: Debug + Display,
    {
        Instrumented::new(self, future, Self::end)
    }
}

impl<F: Future> Instrumented<F> {
    pub(crate) fn new(op: Op, future: F, end: fn(Op, &F::Output)) -> Self {
        Self { future: Some(future), op: Some(op), end }
    }
}

impl<F: Future> Future for Instrumented<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let (Some(future), Some(op)) = (this.future.as_mut().as_pin_mut(), this.op.as_ref()) else {
            // Polled after completion, which only a broken executor does.
            return Poll::Pending;
        };
        // A runtime may catch the panic before it drops the future, and in `drop` a panic could
        // then not be distinguished from a cancellation. So set the outcome here, and resume the
        // panic.
        match catch_unwind(AssertUnwindSafe(|| op.in_scope(|| future.poll(task)))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(result)) => {
                if let Some(op) = this.op.take() {
                    // What the future still owns is dropped inside its span.
                    op.in_scope(|| this.future.set(None));
                    (this.end)(op, &result);
                }
                Poll::Ready(result)
            }
            Err(panic) => {
                if let Some(mut op) = this.op.take() {
                    // As above: dropped inside the span.
                    let dropped = catch_unwind(AssertUnwindSafe(|| op.in_scope(|| this.future.set(None))));
                    panic_message::keep(panic_message::of_payload(&*panic));
                    op.settle(Outcome::Panicked);
                    drop(dropped);
                }
                resume_unwind(panic)
            }
        }
    }
}
