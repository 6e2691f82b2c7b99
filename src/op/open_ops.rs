//! The ops that are open, for a process that a signal stops: nothing else could end them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::OnceLock;

use opentelemetry::Context;

use crate::forked::ForkedMutex;

/// The process whose ops are listed, or 0. No op pays for it where no signal is handled, nor in a forked
/// child, which has no thread that handles them.
static LISTING: AtomicU32 = AtomicU32::new(0);

/// By the order of their starts.
type Open = BTreeMap<u64, Context>;

fn open() -> &'static ForkedMutex<Open> {
    static OPEN: OnceLock<ForkedMutex<Open>> = OnceLock::new();
    OPEN.get_or_init(ForkedMutex::default)
}

/// An op's place in the list.
#[derive(Debug)]
pub(crate) struct Listed(u64);

impl Listed {
    /// Lists the op whose span is in `context`, if ops are listed.
    #[inline]
    pub(crate) fn new(context: Option<&Context>) -> Option<Self> {
        match LISTING.load(Ordering::Relaxed) {
            0 => None,
            process => Self::insert(process, context?.clone()),
        }
    }

    #[cold]
    fn insert(process: u32, context: Context) -> Option<Self> {
        if process != std::process::id() {
            return None;
        }
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        open().lock()?.insert(number, context);
        Some(Self(number))
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        let removed = open().lock().and_then(|mut open| open.remove(&self.0));
        // After the lock: the span may be its context's last.
        drop(removed);
    }
}

#[cfg(all(unix, feature = "install"))]
pub(crate) mod signals {
    use std::sync::atomic::Ordering;

    use opentelemetry::trace::TraceContextExt;

    use crate::correlate::span_start::catch_panic;
    use crate::job_scope::of_context;
    use crate::op::outcome::write_cancelled;
    use crate::span_moments::Ending;

    /// Lists the ops that start from now on.
    pub(crate) fn list() {
        super::LISTING.store(std::process::id(), Ordering::Relaxed);
    }

    /// Ends the listed ops as cancelled by `signal`, the innermost first.
    pub(crate) fn cancel_all(signal: &'static str) {
        let Some(mut open) = super::open().lock() else { return };
        let all = std::mem::take(&mut *open);
        // Span processors run now, and may start ops.
        drop(open);
        for context in all.into_values().rev() {
            let _ending = Ending::of(of_context(&context).map_or(0, |job| job.account.id));
            catch_panic(|| {
                let span = context.span();
                write_cancelled(&span, signal.to_owned());
                span.end();
            });
        }
    }
}
