//! Delivers a request: sends it, with retries, until it has an outcome, and counts that.
//!
//! Requests that are in flight at once have a [`Delivery`] each. They share only the queue with its
//! counters, and the [`OnceLog`].

use std::collections::HashSet;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Instant;

use crate::diagnostics::report_once;
use crate::otlp::config::Config;
use crate::otlp::deliver::request::Request;
use crate::otlp::deliver::retry::Backoff;
use crate::otlp::queue::control::Phase;
use crate::otlp::queue::Queue;
use crate::otlp::sync::{after, lock, Mutex};
use crate::otlp::transport::{Answer, Transport};

/// Diagnostics that were reported already, so that each is reported once.
///
/// Their texts are partly the receiver's and may differ each time, so that their number is limited.
#[derive(Debug, Default)]
pub(crate) struct OnceLog(Mutex<HashSet<String>>);

/// How many different diagnostics a pipeline reports.
const MAX_REPORTS: usize = 16;

/// How much of a receiver's text is reported.
const MAX_REASON_BYTES: usize = 300;

impl OnceLog {
    fn report(&self, what: &str, why: &str) {
        let message = format!("{what}: {}", &why[..why.floor_char_boundary(MAX_REASON_BYTES)]);
        let mut reported = lock(&self.0);
        if reported.len() < MAX_REPORTS && reported.insert(message.clone()) {
            drop(reported);
            report_once(format_args!("{message}"));
        }
    }
}

pub(crate) struct Delivery {
    pub(crate) transport: Box<dyn Transport>,
    pub(crate) config: Arc<Config>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) log: Arc<OnceLog>,
}

enum Outcome {
    Accepted { rejected: u64 },
    Refused,
    GaveUp,
    Shutdown,
}

impl Delivery {
    /// Sends the request, counts the outcome of its records and releases them. False if the worker
    /// was abandoned.
    pub(crate) fn deliver(&mut self, request: &mut Request) -> bool {
        let is_alive = self.complete(request);
        request.clear();
        is_alive
    }

    fn complete(&mut self, request: &mut Request) -> bool {
        let Some(outcome) = self.send_until_done(request) else { return false };
        let records = request.records();
        let counters = &self.queue.counters;
        self.queue.control.complete(records, || {
            match outcome {
                Outcome::Accepted { rejected } => {
                    counters.delivered(records - rejected);
                    counters.rejected(rejected);
                    counters.batches(1);
                    counters.sent_bytes(request.len() as u64);
                }
                Outcome::Refused => {
                    counters.dropped_refused(records);
                    counters.batches(1);
                }
                Outcome::GaveUp => counters.dropped_gave_up(records),
                Outcome::Shutdown => counters.dropped_shutdown(records),
            }
            matches!(outcome, Outcome::Shutdown)
        })
    }

    /// Sends the same bytes until there is an outcome. `None` if the worker was abandoned.
    fn send_until_done(&mut self, request: &mut Request) -> Option<Outcome> {
        let items = self.config.signal.items();
        let begun = Instant::now();
        let mut backoff = Backoff::new(self.config.retry_first, self.config.retry_longest);
        let mut is_retry = false;
        loop {
            let phase = self.queue.control.phase();
            let mut deadline = after(self.config.export_timeout);
            match phase {
                Phase::Abandoned => return None,
                Phase::ShuttingDown { deadline: last } if Instant::now() >= last => {
                    return Some(Outcome::Shutdown)
                }
                Phase::ShuttingDown { deadline: last } => deadline = deadline.min(last),
                Phase::Running => {}
            }
            self.queue.counters.retries(u64::from(is_retry));
            let (retry_after, why) = match self.send(request, deadline) {
                Answer::Accepted { rejected, message } => {
                    let rejected = rejected.min(request.records());
                    if rejected > 0 {
                        self.log.report(&format!("the receiver rejected {items}"), &message);
                    }
                    return Some(Outcome::Accepted { rejected });
                }
                Answer::Refused { why } => {
                    self.log.report(&format!("{items} were refused and are lost"), &why);
                    return Some(Outcome::Refused);
                }
                Answer::TryAgain { after, why } => (after, why),
            };
            let wait = backoff.next(retry_after);
            if begun.elapsed().saturating_add(wait) > self.config.retry_max_elapsed {
                self.log.report(&format!("{items} were dropped after all retries"), &why);
                return Some(Outcome::GaveUp);
            }
            self.log.report(&format!("{items} cannot be delivered yet, retrying"), &why);
            // A shutdown that begins later shortens our own backoff, but not a wait that the
            // receiver asked for.
            let can_shorten = retry_after.is_none() && phase == Phase::Running;
            let until = after(wait);
            match self.queue.control.phase() {
                Phase::ShuttingDown { deadline } if !can_shorten && until >= deadline => {
                    return Some(Outcome::Shutdown)
                }
                _ => self.queue.control.wait_to_retry(until, can_shorten),
            }
            is_retry = true;
        }
    }

    /// A transport must not panic. If it does, the request counts as refused: a retry might panic
    /// again.
    fn send(&mut self, request: &mut Request, deadline: Instant) -> Answer {
        let transport = &mut self.transport;
        catch_unwind(AssertUnwindSafe(|| transport.send(request, deadline)))
            .unwrap_or_else(|_| Answer::Refused { why: "the transport panicked".into() })
    }
}
