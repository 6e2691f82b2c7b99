//! Delivers a request: sends it, with retries, until it has an outcome, and counts that.
//!
//! Requests that are in flight at once have a [`Delivery`] each. They share only the queue with its
//! counters, and the [`Reporter`].

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::otlp::config::Config;
use crate::otlp::deliver::reporter::{Effect, Reason, Reporter, Trouble};
use crate::otlp::deliver::request::Request;
use crate::otlp::deliver::retry::Backoff;
use crate::otlp::queue::control::Phase;
use crate::otlp::queue::Queue;
use crate::otlp::sync::after;
use crate::otlp::transport::{Answer, Transport};

/// How long before the deadline of a shutdown the last attempt begins.
const LAST_ATTEMPT: Duration = Duration::from_millis(500);

/// How often losses are looked for during a wait.
const LOSS_CHECK: Duration = Duration::from_secs(1);

pub(crate) struct Delivery {
    pub(crate) transport: Box<dyn Transport>,
    pub(crate) config: Arc<Config>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) reporter: Arc<Reporter>,
}

enum Outcome {
    Accepted {
        rejected: u64,
        message: String,
    },
    Refused {
        why: String,
    },
    /// The request is larger than the receiver takes.
    TooLarge {
        why: String,
    },
    GaveUp {
        why: String,
    },
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
        // As large as one that the receiver did not take.
        if request.len() / 2 >= self.queue.max_request(usize::MAX) {
            if let Some(parts) = request.split() {
                return self.complete_all(parts);
            }
        }
        let Some(outcome) = self.send_until_done(request) else { return false };
        if let Outcome::TooLarge { why } = &outcome {
            if let Some(parts) = request.split() {
                self.queue.limit_requests(request.len() / 2);
                self.reporter.too_large(why, request.len());
                return self.complete_all(parts);
            }
        }
        let taken = request.taken();
        let records = taken.records;
        // First: what happens in between can only send them once more.
        if !matches!(outcome, Outcome::Shutdown) {
            request.set_done();
        }
        self.set_trouble(&outcome);
        let counters = &self.queue.counters;
        let is_alive = self.queue.control.complete(taken, || {
            match outcome {
                Outcome::Accepted { rejected, .. } => {
                    counters.delivered(records - rejected);
                    counters.rejected(rejected);
                    counters.batches(1);
                    counters.sent_bytes(request.len() as u64);
                }
                // A single record, or it would be sent in parts.
                Outcome::Refused { .. } | Outcome::TooLarge { .. } => {
                    counters.dropped_refused(records);
                    counters.batches(1);
                }
                Outcome::GaveUp { .. } => counters.dropped_gave_up(records),
                Outcome::Shutdown => taken.count(counters),
            }
            self.count_jobs(request, &outcome);
            matches!(outcome, Outcome::Shutdown)
        });
        self.report(&outcome);
        is_alive
    }

    /// Keeps what there is to say about the receiver.
    fn set_trouble(&self, outcome: &Outcome) {
        let trouble = |why: &str, effect| Some(Trouble::new(why, effect, self.transport.fault()));
        self.reporter.set_trouble(match outcome {
            Outcome::Accepted { rejected: 0, message } if message.is_empty() => None,
            Outcome::Accepted { rejected: 0, message } => trouble(message, Effect::Accepted),
            Outcome::Accepted { message: why, .. }
            | Outcome::Refused { why }
            | Outcome::TooLarge { why }
            | Outcome::GaveUp { why } => trouble(why, Effect::Lost),
            Outcome::Shutdown => return,
        });
    }

    /// Counts the outcome in the accounts of the jobs.
    fn count_jobs(&self, request: &Request, outcome: &Outcome) {
        let mut rejections = match outcome {
            Outcome::Accepted { rejected, .. } => *rejected,
            _ => 0,
        };
        request.each_job(|job, records, is_spooled| {
            let rejected = records.min(rejections);
            rejections -= rejected;
            self.queue.count(job, |tally| match outcome {
                Outcome::Accepted { .. } => {
                    tally.rejected += rejected;
                    tally.delivered += records - rejected;
                }
                Outcome::Refused { .. } | Outcome::TooLarge { .. } => tally.dropped_refused += records,
                Outcome::GaveUp { .. } => tally.dropped_gave_up += records,
                Outcome::Shutdown if is_spooled => tally.spooled += records,
                Outcome::Shutdown => tally.dropped_shutdown += records,
            });
        });
    }

    fn complete_all(&mut self, parts: [Request; 2]) -> bool {
        parts.into_iter().all(|mut part| self.complete(&mut part))
    }

    fn report(&self, outcome: &Outcome) {
        let stats = self.queue.counters.snapshot();
        match outcome {
            Outcome::Accepted { rejected, message } => {
                self.reporter.accepted(&stats);
                if *rejected > 0 {
                    self.reporter.lost(Reason::Rejected, message, &stats);
                } else if !message.is_empty() {
                    self.reporter.warned(message);
                }
            }
            Outcome::Refused { why } | Outcome::TooLarge { why } => {
                self.reporter.lost(Reason::Refused, why, &stats);
            }
            Outcome::GaveUp { why } => self.reporter.lost(Reason::GaveUp, why, &stats),
            Outcome::Shutdown => {}
        }
        self.reporter.check(&stats);
    }

    /// Sends the same bytes until there is an outcome. `None` if the worker was abandoned.
    fn send_until_done(&mut self, request: &mut Request) -> Option<Outcome> {
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
            let answer = self.send(request, deadline);
            if let Some(seconds_ahead) = self.transport.clock() {
                self.reporter.set_clock(seconds_ahead);
            }
            let (retry_after, why) = match answer {
                Answer::Accepted { rejected, message } => {
                    return Some(Outcome::Accepted { rejected: rejected.min(request.records()), message });
                }
                Answer::Refused { why } => return Some(Outcome::Refused { why }),
                Answer::TooLarge { why } => return Some(Outcome::TooLarge { why }),
                Answer::TryAgain { after, why } => (after, why),
            };
            let mut wait = backoff.next(retry_after);
            if let Some(limit) = self.config.retry_max_elapsed {
                let left = limit.saturating_sub(begun.elapsed());
                if left.is_zero() {
                    return Some(Outcome::GaveUp { why });
                }
                // A receiver that asks for more is away, and not done with: one more attempt at the
                // limit.
                wait = wait.min(left);
            }
            self.reporter.set_trouble(Some(Trouble::new(&why, Effect::Delayed, self.transport.fault())));
            self.reporter.failed(&why, &self.queue.counters.snapshot());
            // A shutdown that begins later shortens our own backoff, but not a wait that the
            // receiver asked for.
            let can_shorten = retry_after.is_none() && phase == Phase::Running;
            let mut until = after(wait);
            if let Phase::ShuttingDown { deadline } = self.queue.control.phase() {
                if !can_shorten && until >= deadline {
                    // One more attempt while there is time for it, unless the receiver asked for more.
                    let last = deadline.checked_sub(LAST_ATTEMPT).filter(|last| *last > Instant::now());
                    match last.filter(|_| retry_after.is_none()) {
                        Some(last) => until = last,
                        None => return Some(Outcome::Shutdown),
                    }
                }
            }
            self.wait_to_retry(until, can_shorten);
            is_retry = true;
        }
    }

    /// Waits, and reports what is lost meanwhile.
    fn wait_to_retry(&self, until: Instant, can_shorten: bool) {
        loop {
            let part = after(LOSS_CHECK).min(until);
            let is_ended = self.queue.control.wait_to_retry(part, can_shorten);
            self.reporter.check(&self.queue.counters.snapshot());
            if is_ended || Instant::now() >= until {
                return;
            }
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
