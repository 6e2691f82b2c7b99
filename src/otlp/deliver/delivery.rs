//! Sees requests through: each is sent until there is an outcome, which is counted.
//!
//! Between the worker and the transport in the walk. There is one of these for each request that may be on
//! its way at once; they share nothing but the counts and what was said.

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

/// What was said already, in full. The text is partly the receiver's and may differ each time, so there
/// is an end to it.
#[derive(Debug, Default)]
pub(crate) struct OnceLog(Mutex<HashSet<String>>);

/// How many different causes a pipeline tells of.
const MAX_REPORTS: usize = 16;

impl OnceLog {
    fn report(&self, what: &str, why: &str) {
        let message = format!("{what}: {}", short(why));
        let mut said = lock(&self.0);
        if said.len() < MAX_REPORTS && said.insert(message.clone()) {
            drop(said);
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

/// What became of a request.
enum Outcome {
    Accepted { rejected: u64 },
    Refused,
    GaveUp,
    Shutdown,
}

impl Delivery {
    /// Sends the request, settles its records and lets go of them. False if they were written off meanwhile.
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

    /// Sends the same bytes until there is an outcome. `None` if nobody wants to know it any more.
    fn send_until_done(&mut self, request: &mut Request) -> Option<Outcome> {
        let begun = Instant::now();
        let mut backoff = Backoff::new(self.config.retry_first, self.config.retry_longest);
        let mut is_again = false;
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
            self.queue.counters.retries(u64::from(is_again));
            let (asked, why) = match self.send(request, deadline) {
                Answer::Accepted { rejected, message } => {
                    let rejected = rejected.min(request.records());
                    if rejected > 0 {
                        self.log.report("the receiver rejected log records", &message);
                    }
                    return Some(Outcome::Accepted { rejected });
                }
                Answer::Refused { why } => {
                    self.log.report("log records were refused and are lost", &why);
                    return Some(Outcome::Refused);
                }
                Answer::TryAgain { after, why } => (after, why),
            };
            let wait = backoff.next(asked);
            if begun.elapsed().saturating_add(wait) > self.config.retry_max_elapsed {
                self.log.report("log records were given up and are lost", &why);
                return Some(Outcome::GaveUp);
            }
            self.log.report("log records cannot be delivered now, trying again", &why);
            // A shutdown that began since shortens a wait of ours, not one that the receiver asked for.
            let can_shorten = asked.is_none() && phase == Phase::Running;
            let until = after(wait);
            match self.queue.control.phase() {
                Phase::ShuttingDown { deadline } if !can_shorten && until >= deadline => {
                    return Some(Outcome::Shutdown)
                }
                _ => self.queue.control.wait_to_retry(until, can_shorten),
            }
            is_again = true;
        }
    }

    /// A transport must not panic. One that does has not delivered, and is not asked for the same again.
    fn send(&mut self, request: &mut Request, deadline: Instant) -> Answer {
        let transport = &mut self.transport;
        catch_unwind(AssertUnwindSafe(|| transport.send(request, deadline)))
            .unwrap_or_else(|_| Answer::Refused { why: "the transport panicked".into() })
    }
}

/// The beginning of a text that is not ours.
fn short(text: &str) -> &str {
    &text[..text.floor_char_boundary(300)]
}
