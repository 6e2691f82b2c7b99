//! What the worker and everybody else say to each other: wake up, flush, shut down, done.
//!
//! Requests that are on their way have numbers, in the order in which they were begun. A flush is done when
//! all that were begun before it have ended, so that one which is tried again keeps no later one waiting.
//!
//! Records that the worker has taken and not settled are *held*. Whoever shuts down may write the
//! held ones off, which happens under the same lock as settling them: each has one outcome, even if
//! the transport succeeds later.

use std::collections::VecDeque;
use std::time::Instant;

use crate::otlp::counters::Counters;
#[cfg(feature = "metrics")]
use crate::otlp::counters::Stats;
use crate::otlp::sync::{lock, wait, wait_until, AtomicBool, Condvar, Mutex, Ordering};

#[derive(Debug, Default)]
pub(crate) struct Control {
    /// There is enough for a batch. Set by threads that emit, which touch nothing else of this then.
    woken: AtomicBool,
    state: Mutex<State>,
    to_worker: Condvar,
    /// To those who wait to send a request again.
    to_senders: Condvar,
    to_callers: Condvar,
}

#[derive(Debug, Default)]
struct State {
    flush_wanted: u64,
    /// The last one that the worker has sent everything for.
    flush_sent: u64,
    /// The last one that is done.
    flushed: u64,
    /// The flushes in between, each with the number of the next request: those before it must end.
    flushing: VecDeque<(u64, u64)>,
    /// The numbers of the requests that are on their way, and their records. As many as there may be at once: a few.
    in_flight_requests: Vec<(u64, u64)>,
    next_request: u64,
    /// Records of all requests that were begun.
    begun: u64,
    /// Of those, the ones that a shutdown left without an answer.
    lost: u64,
    /// The deadline of the shutdown that has begun.
    shutdown: Option<Instant>,
    outstanding: u64,
    /// Nobody waits for the worker any more; what it held is written off.
    abandoned: bool,
    ended: bool,
}

/// Records that were passed on to be sent.
#[cfg(feature = "metrics")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exports {
    pub(crate) begun: u64,
    pub(crate) in_flight: u64,
    /// A shutdown came before their answer.
    pub(crate) lost: u64,
}

/// What the worker is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Send the batches that are full.
    Full,
    /// Send everything, and say that this flush is done.
    Everything { flush: u64 },
    /// Send everything, and stop.
    Last,
    /// Stop.
    Stop,
}

/// How things stand for a request that is being sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Running,
    ShuttingDown { deadline: Instant },
    Abandoned,
}

impl State {
    /// True if a flush is done that was not before.
    fn finish_flushes(&mut self) -> bool {
        let oldest = self.in_flight_requests.iter().map(|(request, _)| *request).min().unwrap_or(u64::MAX);
        let mut is_done = false;
        while let Some((flush, _)) = self.flushing.front().filter(|(_, before)| *before <= oldest) {
            is_done |= *flush > self.flushed;
            self.flushed = *flush;
            self.flushing.pop_front();
        }
        is_done
    }
}

impl Control {
    /// Tells the worker that there is something to send. Costs a read where it knows already.
    #[inline]
    pub(crate) fn wake(&self) {
        if !self.woken.load(Ordering::Acquire) {
            self.wake_up();
        }
    }

    #[cold]
    fn wake_up(&self) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            // The lock: the worker looks at the flag under it before it sleeps.
            let _state = lock(&self.state);
            self.to_worker.notify_one();
        }
    }

    /// Waits for something to do, until `tick`, when everything is to be sent.
    pub(crate) fn next_command(&self, tick: Instant) -> Command {
        let mut state = lock(&self.state);
        loop {
            // Cleared before the worker looks into the shards: what comes later sets it again.
            let woken = self.woken.swap(false, Ordering::AcqRel);
            if state.abandoned {
                return Command::Stop;
            }
            if state.shutdown.is_some() {
                return Command::Last;
            }
            if state.flush_wanted > state.flush_sent || Instant::now() >= tick {
                return Command::Everything { flush: state.flush_wanted };
            }
            if woken {
                return Command::Full;
            }
            state = wait_until(&self.to_worker, state, tick);
        }
    }

    /// The worker has `records` now. False if they are written off, and counted here.
    pub(crate) fn dequeued(&self, records: u64, counters: &Counters) -> bool {
        let mut state = lock(&self.state);
        if state.abandoned {
            counters.dropped_shutdown(records);
        } else {
            state.outstanding += records;
        }
        !state.abandoned
    }

    /// `records` of the held ones have their outcome, which `count` counts, unless they were written
    /// off. False if so. It says whether a shutdown came before their answer.
    pub(crate) fn complete(&self, records: u64, count: impl FnOnce() -> bool) -> bool {
        let mut state = lock(&self.state);
        if !state.abandoned {
            if count() {
                state.lost += records;
            }
            state.outstanding -= records;
        }
        !state.abandoned
    }

    pub(crate) fn phase(&self) -> Phase {
        let state = lock(&self.state);
        match state.shutdown {
            _ if state.abandoned => Phase::Abandoned,
            Some(deadline) => Phase::ShuttingDown { deadline },
            None => Phase::Running,
        }
    }

    /// Waits until `until`, the deadline of a shutdown, or, if the wait `can_shorten` to shorten, until a
    /// shutdown has begun.
    pub(crate) fn wait_to_retry(&self, until: Instant, can_shorten: bool) {
        let mut state = lock(&self.state);
        loop {
            let until = state.shutdown.map_or(until, |deadline| deadline.min(until));
            let is_cut = can_shorten && state.shutdown.is_some();
            if state.abandoned || is_cut || Instant::now() >= until {
                return;
            }
            state = wait_until(&self.to_senders, state, until);
        }
    }

    /// A request with `records` begins, as soon as fewer than `most` are on their way. Its number, for
    /// [`end_request`](Self::end_request); `None` if nobody waits for it any more.
    pub(crate) fn begin_request(&self, most: usize, records: u64) -> Option<u64> {
        let mut state = lock(&self.state);
        while state.in_flight_requests.len() >= most && !state.abandoned {
            state = wait(&self.to_worker, state);
        }
        if state.abandoned {
            return None;
        }
        let request = state.next_request;
        state.next_request += 1;
        state.begun += records;
        state.in_flight_requests.push((request, records));
        Some(request)
    }

    /// The request with this number has ended.
    pub(crate) fn end_request(&self, request: u64) {
        let mut state = lock(&self.state);
        state.in_flight_requests.retain(|(other, _)| *other != request);
        let is_done = state.finish_flushes();
        drop(state);
        self.to_worker.notify_one();
        if is_done {
            self.to_callers.notify_all();
        }
    }

    /// What became of records that were passed on, with a reading of `counters` that fits it.
    #[cfg(feature = "metrics")]
    pub(crate) fn exports(&self, counters: &Counters) -> (Exports, Stats) {
        let state = lock(&self.state);
        let in_flight_requests = state.in_flight_requests.iter().map(|(_, records)| records).sum();
        let in_flight = if state.abandoned { 0 } else { in_flight_requests };
        (Exports { begun: state.begun, in_flight, lost: state.lost }, counters.snapshot())
    }

    /// Waits until nothing is on its way. False if nobody waits for it any more.
    pub(crate) fn wait_until_idle(&self) -> bool {
        let mut state = lock(&self.state);
        while !state.in_flight_requests.is_empty() && !state.abandoned {
            state = wait(&self.to_worker, state);
        }
        !state.abandoned
    }

    /// Everything of the flush with this number was sent. It is done when all of it has end_request.
    pub(crate) fn flush_sent(&self, flush: u64) {
        let mut state = lock(&self.state);
        let before = state.next_request;
        state.flush_sent = flush;
        state.flushing.push_back((flush, before));
        let is_done = state.finish_flushes();
        drop(state);
        if is_done {
            self.to_callers.notify_all();
        }
    }

    /// The worker is gone. It holds something only if it panicked.
    pub(crate) fn worker_ended(&self, counters: &Counters) {
        let mut state = lock(&self.state);
        counters.dropped_shutdown(std::mem::take(&mut state.outstanding));
        state.ended = true;
        drop(state);
        self.to_callers.notify_all();
    }

    /// Has everything flushed. False if that took longer than `until`, `None` if there is no worker
    /// that could.
    pub(crate) fn flush(&self, until: Instant) -> Option<bool> {
        let mut state = lock(&self.state);
        if state.shutdown.is_some() || state.ended {
            return None;
        }
        state.flush_wanted += 1;
        let wanted = state.flush_wanted;
        self.to_worker.notify_one();
        loop {
            // A worker that ended has sent everything first.
            if state.flushed >= wanted || state.ended {
                return Some(true);
            }
            if state.abandoned || Instant::now() >= until {
                return Some(false);
            }
            state = wait_until(&self.to_callers, state, until);
        }
    }

    /// Has everything sent and the worker stopped. False if it has not stopped by `until`.
    pub(crate) fn shut_down(&self, until: Instant) -> bool {
        let mut state = lock(&self.state);
        // The first deadline is the worker's; each caller waits no longer than its own.
        state.shutdown.get_or_insert(until);
        self.to_worker.notify_one();
        self.to_senders.notify_all();
        loop {
            if state.ended || state.abandoned {
                return state.ended;
            }
            if Instant::now() >= until {
                return false;
            }
            state = wait_until(&self.to_callers, state, until);
        }
    }

    /// Writes off what the worker holds.
    pub(crate) fn abandon(&self, counters: &Counters) {
        let mut state = lock(&self.state);
        if !state.abandoned {
            state.abandoned = true;
            state.lost += state.in_flight_requests.iter().map(|(_, records)| records).sum::<u64>();
            counters.dropped_shutdown(std::mem::take(&mut state.outstanding));
        }
        self.to_worker.notify_one();
        self.to_senders.notify_all();
        self.to_callers.notify_all();
    }
}
