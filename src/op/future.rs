//! An op around a future.

use std::fmt::{Debug, Display};
use std::future::Future;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::op::handle::Op;
use crate::op::outcome::Outcome;

pin_project! {
    /// A future inside an op. Made by [`Op::instrument`] and [`run_async`](super::run_async).
    ///
    /// The op's span is current at each poll and while the future is dropped. The op ends with the
    /// future's result; dropped before that, with the outcome `cancelled`.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Instrumented<F: Future> {
        #[pin]
        future: Option<F>,
        op: Option<Op>,
        // What ends the op when the future is ready: `Op::end`, or what a child process made of it.
        end: fn(Op, &F::Output),
    }

    impl<F: Future> PinnedDrop for Instrumented<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(mut op) = this.op.take() {
                op.in_scope(|| this.future.set(None));
                // A panic of the future's own is settled in `poll`: if one goes through here, it is another's.
                op.settle(Outcome::Cancelled);
            }
        }
    }
}

impl Op {
    /// Runs `future` inside the op, which ends with its result. Dropped before, it has the outcome `cancelled`.
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
            // Polled after it was ready, which only a broken executor does.
            return Poll::Pending;
        };
        // A runtime may catch the panic before it drops the future; then nothing tells a panic from
        // a cancellation any more. So the outcome is settled here, and the panic goes on.
        match catch_unwind(AssertUnwindSafe(|| op.in_scope(|| future.poll(task)))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(result)) => {
                if let Some(op) = this.op.take() {
                    // What the future still holds is dropped inside its span.
                    op.in_scope(|| this.future.set(None));
                    (this.end)(op, &result);
                }
                Poll::Ready(result)
            }
            Err(panic) => {
                if let Some(mut op) = this.op.take() {
                    // What the future still holds is dropped inside its span, here too.
                    let dropped = catch_unwind(AssertUnwindSafe(|| op.in_scope(|| this.future.set(None))));
                    op.settle(Outcome::Panicked);
                    drop(dropped);
                }
                resume_unwind(panic)
            }
        }
    }
}
