//! How callers and the worker coordinate: wake, flush, shut down.
//!
//! Requests in flight are numbered in the order in which they were begun. A flush is done when all
//! requests begun before it have ended, so that it does not wait for later ones.
//!
//! Records that the worker has dequeued, and that have no outcome yet, are *outstanding*. A
//! shutdown whose deadline passes abandons the worker: it counts them as dropped, or as left in the
//! spool, under the same lock under which they are completed, so that each has one outcome, even if
//! the transport succeeds later.

use std::collections::VecDeque;
use std::time::Instant;

use crate::otlp::counters::Counters;
#[cfg(feature = "metrics")]
use crate::otlp::counters::PipelineStats;
use crate::otlp::sync::{lock, lock_unless_forked, wait, wait_until, AtomicBool, Condvar, Mutex, Ordering};

#[derive(Debug, Default)]
pub(crate) struct Control {
    /// There are enough records for a batch. An emitting thread that finds it set touches nothing
    /// else here.
    woken: AtomicBool,
    state: Mutex<State>,
    /// Wakes the worker.
    to_worker: Condvar,
    /// Wakes deliveries that wait for a retry.
    to_senders: Condvar,
    /// Wakes those who flush or shut down.
    to_callers: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The number of the last flush that was requested.
    flush_wanted: u64,
    /// The last flush for which the worker has begun all requests.
    flush_sent: u64,
    /// The last flush that is done.
    flushed: u64,
    /// The flushes in between, each with the number of the first request that it does not wait for.
    flushing: VecDeque<(u64, u64)>,
    /// The numbers of the requests in flight, and their records. There are only a few at once.
    in_flight_requests: Vec<(u64, u64)>,
    next_request: u64,
    /// Records of all requests that were begun.
    begun: u64,
    /// Those of them that a shutdown left without an answer.
    lost: u64,
    /// The deadline of the shutdown, once it has begun.
    shutdown: Option<Instant>,
    outstanding: Taken,
    /// A shutdown's deadline has passed: nobody waits for the worker any more.
    abandoned: bool,
    /// The worker has ended.
    ended: bool,
}

/// Records that the worker has dequeued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) records: u64,
    /// Those of them that are in the spool, too.
    pub(crate) spooled: u64,
}

impl Taken {
    /// Nobody sends them any more.
    pub(crate) fn count(self, counters: &Counters) {
        counters.dropped_shutdown(self.records - self.spooled);
        counters.spooled(self.spooled);
    }
}

/// The records of the requests that were begun.
#[cfg(feature = "metrics")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exports {
    pub(crate) begun: u64,
    pub(crate) in_flight: u64,
    /// Those that a shutdown left without an answer.
    pub(crate) lost: u64,
}

/// What the worker is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Send full batches only.
    Full,
    /// Send everything, then call [`Control::flush_sent`] with this flush.
    Everything { flush: u64 },
    /// Send everything, and stop.
    Last,
    /// Stop.
    Stop,
}

/// How long a request may still take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// As long as its retries are allowed.
    Running,
    ShuttingDown {
        deadline: Instant,
    },
    /// Nobody waits for it any more.
    Abandoned,
}

impl State {
    /// True if this completes a flush.
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
    /// Wakes the worker to send what is full. If it is woken already, this is one load.
    /// `process`: the one that has the worker.
    #[inline]
    pub(crate) fn wake(&self, process: u32) {
        if !self.woken.load(Ordering::Acquire) {
            self.wake_up(process);
        }
    }

    #[cold]
    fn wake_up(&self, process: u32) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            // Under the lock, because the worker checks the flag under it before it sleeps.
            let Some(_state) = lock_unless_forked(&self.state, process) else { return };
            self.to_worker.notify_one();
        }
    }

    /// Waits for something to do, until `tick`: then everything is to be sent.
    pub(crate) fn next_command(&self, tick: Instant) -> Command {
        let mut state = lock(&self.state);
        loop {
            // Cleared before the worker looks into the shards, so that later records set it again.
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

    /// The worker has dequeued these. False if it was abandoned; then they are counted here.
    pub(crate) fn dequeued(&self, taken: Taken, counters: &Counters) -> bool {
        let mut state = lock(&self.state);
        if state.abandoned {
            taken.count(counters);
        } else {
            state.outstanding.records += taken.records;
            state.outstanding.spooled += taken.spooled;
        }
        !state.abandoned
    }

    /// These of the outstanding ones have their outcome. `count` counts it and returns whether
    /// a shutdown left them without an answer. False, and not counted, if the worker was abandoned.
    pub(crate) fn complete(&self, taken: Taken, count: impl FnOnce() -> bool) -> bool {
        let mut state = lock(&self.state);
        if !state.abandoned {
            if count() {
                state.lost += taken.records;
            }
            state.outstanding.records -= taken.records;
            state.outstanding.spooled -= taken.spooled;
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

    /// Waits until `wanted`, but not beyond the deadline of a shutdown. If `can_shorten`, the
    /// beginning of a shutdown ends the wait. True if it was ended before `wanted`.
    pub(crate) fn wait_to_retry(&self, wanted: Instant, can_shorten: bool) -> bool {
        let mut state = lock(&self.state);
        loop {
            let until = state.shutdown.map_or(wanted, |deadline| deadline.min(wanted));
            let is_cut = can_shorten && state.shutdown.is_some();
            if state.abandoned || is_cut || Instant::now() >= until {
                return state.abandoned || is_cut || until < wanted;
            }
            state = wait_until(&self.to_senders, state, until);
        }
    }

    /// Begins a request with `records`, as soon as fewer than `max_in_flight` are in flight.
    /// Returns its number, for [`end_request`](Self::end_request); `None` if the worker was
    /// abandoned.
    pub(crate) fn begin_request(&self, max_in_flight: usize, records: u64) -> Option<u64> {
        let mut state = lock(&self.state);
        while state.in_flight_requests.len() >= max_in_flight && !state.abandoned {
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

    /// Ends the request with this number.
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

    /// The records of requests, with a reading of `counters` that is consistent with them.
    #[cfg(feature = "metrics")]
    pub(crate) fn exports(&self, counters: &Counters) -> (Exports, PipelineStats) {
        let state = lock(&self.state);
        let in_flight_requests = state.in_flight_requests.iter().map(|(_, records)| records).sum();
        let in_flight = if state.abandoned { 0 } else { in_flight_requests };
        (Exports { begun: state.begun, in_flight, lost: state.lost }, counters.snapshot())
    }

    /// Waits until no request is in flight. False if the worker was abandoned.
    pub(crate) fn wait_until_idle(&self) -> bool {
        let mut state = lock(&self.state);
        while !state.in_flight_requests.is_empty() && !state.abandoned {
            state = wait(&self.to_worker, state);
        }
        !state.abandoned
    }

    /// All requests of the flush with this number were begun. It is done when they have ended.
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

    /// The worker has ended. Records are outstanding only if it panicked.
    pub(crate) fn worker_ended(&self, counters: &Counters) {
        let mut state = lock(&self.state);
        std::mem::take(&mut state.outstanding).count(counters);
        state.ended = true;
        drop(state);
        self.to_callers.notify_all();
    }

    /// Requests a flush, and returns its number. `None` after shutdown.
    pub(crate) fn begin_flush(&self) -> Option<u64> {
        let mut state = lock(&self.state);
        if state.shutdown.is_some() || state.ended {
            return None;
        }
        state.flush_wanted += 1;
        self.to_worker.notify_one();
        Some(state.flush_wanted)
    }

    /// Waits for a flush. False if it is not done by `until`.
    pub(crate) fn wait_for_flush(&self, flush: u64, until: Instant) -> bool {
        let mut state = lock(&self.state);
        loop {
            // The worker sends everything before it ends.
            if state.flushed >= flush || state.ended {
                return true;
            }
            if state.abandoned || Instant::now() >= until {
                return false;
            }
            state = wait_until(&self.to_callers, state, until);
        }
    }

    /// Requests that everything is sent until `until`, and that the worker ends.
    pub(crate) fn begin_shutdown(&self, until: Instant) {
        let mut state = lock(&self.state);
        // The worker keeps the first deadline; each caller waits no longer than its own.
        state.shutdown.get_or_insert(until);
        self.to_worker.notify_one();
        self.to_senders.notify_all();
    }

    /// Waits until the worker has ended. False if that is not so by `until`.
    pub(crate) fn wait_for_end(&self, until: Instant) -> bool {
        let mut state = lock(&self.state);
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

    /// Counts the outstanding records as dropped or left in the spool, and stops waiting for the worker.
    pub(crate) fn abandon(&self, counters: &Counters) {
        let mut state = lock(&self.state);
        if !state.abandoned {
            state.abandoned = true;
            state.lost += state.in_flight_requests.iter().map(|(_, records)| records).sum::<u64>();
            std::mem::take(&mut state.outstanding).count(counters);
        }
        self.to_worker.notify_one();
        self.to_senders.notify_all();
        self.to_callers.notify_all();
    }
}
