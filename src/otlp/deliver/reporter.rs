//! Reports outages and losses of one signal while they last: when they begin, at most once a minute
//! with totals, and when delivery is back.

use std::collections::HashSet;
use std::fmt;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::diagnostics::report;
use crate::otlp::counters::PipelineStats;
use crate::otlp::signal::Signal;
use crate::otlp::sync::{lock, Mutex};
use crate::otlp::transport::Fault;

/// How often a loss or an outage that lasts is reported.
const INTERVAL: Duration = Duration::from_secs(60);

/// How long an outage lasts before it is reported, if another one was within the interval. A receiver
/// that fails now and then would be reported with each request.
const SHORT: Duration = Duration::from_secs(10);

/// How much of a receiver's text is reported.
const MAX_REASON_BYTES: usize = 300;

/// How many different reasons are reported at once. Further ones wait for the interval: their texts
/// are partly the receiver's and may differ each time.
const MAX_REASONS: usize = 16;

/// A loss, passed to [`PipelineBuilder::on_loss`](super::super::PipelineBuilder::on_loss).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loss {
    /// `logs` or `traces`.
    pub signal: &'static str,
    /// Why: the name of a counter of [`PipelineStats`](super::super::PipelineStats), such as `dropped_queue_full`.
    pub reason: &'static str,
    /// How many were lost for this reason since it was last reported.
    pub count: u64,
    /// How many were lost for this reason so far.
    pub total: u64,
}

/// A function that is called with each [`Loss`].
#[derive(Clone)]
pub(crate) struct OnLoss(pub(crate) Arc<dyn Fn(&Loss) + Send + Sync>);

impl fmt::Debug for OnLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnLoss")
    }
}

/// Why something was lost: the counters that say so, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    QueueFull,
    Oldest,
    TooLarge,
    Refused,
    GaveUp,
    Shutdown,
    Unmade,
    Damaged,
    Rejected,
}

impl Reason {
    const ALL: [Self; 9] = [
        Self::QueueFull,
        Self::Oldest,
        Self::TooLarge,
        Self::Refused,
        Self::GaveUp,
        Self::Shutdown,
        Self::Unmade,
        Self::Damaged,
        Self::Rejected,
    ];

    fn counter(self) -> &'static str {
        match self {
            Self::QueueFull => "dropped_queue_full",
            Self::Oldest => "dropped_oldest",
            Self::TooLarge => "dropped_too_large",
            Self::Refused => "dropped_refused",
            Self::GaveUp => "dropped_gave_up",
            Self::Shutdown => "dropped_shutdown",
            Self::Unmade => "dropped_unmade",
            Self::Damaged => "dropped_damaged",
            Self::Rejected => "rejected",
        }
    }

    fn count(self, stats: &PipelineStats) -> u64 {
        match self {
            Self::QueueFull => stats.dropped_queue_full,
            Self::Oldest => stats.dropped_oldest,
            Self::TooLarge => stats.dropped_too_large,
            Self::Refused => stats.dropped_refused,
            Self::GaveUp => stats.dropped_gave_up,
            Self::Shutdown => stats.dropped_shutdown,
            Self::Unmade => stats.dropped_unmade,
            Self::Damaged => stats.dropped_damaged,
            Self::Rejected => stats.rejected,
        }
    }

    fn text(self, items: &str) -> String {
        match self {
            Self::QueueFull => format!("{items} are dropped, because the memory limit is reached"),
            Self::Oldest => format!("the oldest {items} are dropped, because the memory limit is reached"),
            Self::TooLarge => format!("{items} are dropped, because they are too large"),
            Self::Refused => format!("{items} were refused and are lost"),
            Self::GaveUp => format!("{items} were dropped after all retries"),
            Self::Shutdown => format!("{items} are dropped, because of the shutdown"),
            Self::Unmade => format!("{items} are dropped, because making them panicked"),
            Self::Damaged => format!("{items} could not be read back from the spool"),
            Self::Rejected => format!("the receiver rejected {items}"),
        }
    }
}

/// Reports outages and losses of one signal.
#[derive(Debug)]
pub(crate) struct Reporter {
    signal: Signal,
    /// Where it is sent: a URL without credentials, or a path.
    receiver: String,
    on_loss: Option<OnLoss>,
    /// How many seconds the receiver's clock is ahead of this machine's, or [`UNKNOWN_CLOCK`].
    clock: AtomicI64,
    state: Mutex<State>,
}

const UNKNOWN_CLOCK: i64 = i64::MIN;

/// What went wrong with a request, unless a later one was accepted.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    pub(crate) at: Instant,
    pub(crate) why: String,
    pub(crate) effect: Effect,
    pub(crate) fault: Fault,
}

impl Trouble {
    pub(crate) fn new(why: &str, effect: Effect, fault: Fault) -> Self {
        Self { at: Instant::now(), why: shortened(why), effect, fault }
    }
}

/// What trouble means for the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It is sent again.
    Delayed,
    Lost,
    /// It was accepted, with a warning.
    Accepted,
}

#[derive(Debug, Default)]
struct State {
    trouble: Option<Trouble>,
    outage: Option<Outage>,
    /// When the beginning of an outage was last reported.
    outage_reported: Option<Instant>,
    losses: [Reported; Reason::ALL.len()],
    /// Reasons for losses and outages that were reported.
    reasons: HashSet<String>,
}

#[derive(Debug)]
struct Outage {
    begun: Instant,
    /// How much was lost when it began.
    lost_before: u64,
    /// When it was last reported, if it was.
    reported: Option<Instant>,
}

/// What was reported of one reason.
#[derive(Clone, Copy, Debug, Default)]
struct Reported {
    count: u64,
    at: Option<Instant>,
}

impl Reporter {
    pub(crate) fn new(signal: Signal, receiver: String, on_loss: Option<OnLoss>) -> Self {
        Self { signal, receiver, on_loss, clock: AtomicI64::new(UNKNOWN_CLOCK), state: Mutex::default() }
    }

    pub(crate) fn receiver(&self) -> &str {
        &self.receiver
    }

    /// What went wrong since a request was last accepted without a warning.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        lock(&self.state).trouble.clone()
    }

    /// Sets it. Called before the request counts as completed, so that whoever waits for that sees it.
    pub(crate) fn set_trouble(&self, trouble: Option<Trouble>) {
        lock(&self.state).trouble = trouble;
    }

    /// How many seconds the receiver's clock was ahead of this machine's at its last answer, if it
    /// said.
    pub(crate) fn clock(&self) -> Option<i64> {
        Some(self.clock.load(Ordering::Relaxed)).filter(|ahead| *ahead != UNKNOWN_CLOCK)
    }

    pub(crate) fn set_clock(&self, seconds_ahead: i64) {
        self.clock.store(seconds_ahead, Ordering::Relaxed);
    }

    /// An attempt to send failed, and will be repeated.
    pub(crate) fn failed(&self, why: &str, stats: &PipelineStats) {
        if let Some(text) = self.failed_at(Instant::now(), why, stats) {
            report(format_args!("{text}"));
        }
        self.check(stats);
    }

    fn failed_at(&self, now: Instant, why: &str, stats: &PipelineStats) -> Option<String> {
        let items = self.signal.items();
        let why = shortened(why);
        let mut state = lock(&self.state);
        let is_other = state.insert_reason(format!("{items}: {why}"));
        let is_first = state.outage_reported.is_none_or(|at| now.duration_since(at) >= INTERVAL);
        let begun = Outage { begun: now, lost_before: stats.lost(), reported: None };
        let outage = state.outage.get_or_insert(begun);
        let lasts = now.duration_since(outage.begun);
        let lost = stats.lost().saturating_sub(outage.lost_before);
        let is_new = outage.reported.is_none() && (is_first || lasts >= SHORT);
        let is_due = outage.reported.is_some_and(|at| now.duration_since(at) >= INTERVAL);
        if is_new || is_other || is_due {
            outage.reported = Some(now);
            state.outage_reported = Some(now);
        }
        drop(state);
        let to = self.to(&why);
        if is_new || is_other {
            return Some(format!("{items} cannot be delivered yet, retrying: {why}{to}"));
        }
        is_due.then(|| {
            let (seconds, pending) = (lasts.as_secs(), stats.pending);
            format!(
                "{items} could not be delivered for {seconds} s, retrying: {why}{to}; {lost} lost, {pending} \
                 pending"
            )
        })
    }

    /// A request was accepted.
    pub(crate) fn accepted(&self, stats: &PipelineStats) {
        if let Some(text) = self.accepted_at(Instant::now(), stats) {
            report(format_args!("{text}"));
        }
    }

    fn accepted_at(&self, now: Instant, stats: &PipelineStats) -> Option<String> {
        let outage = lock(&self.state).outage.take()?;
        outage.reported?;
        let lost = stats.lost().saturating_sub(outage.lost_before);
        let seconds = now.duration_since(outage.begun).as_secs();
        let (receiver, items) = (&self.receiver, self.signal.items());
        Some(format!("delivering again to {receiver} after {seconds} s; {lost} {items} lost"))
    }

    /// Something was lost for a reason that the receiver gave.
    pub(crate) fn lost(&self, reason: Reason, why: &str, stats: &PipelineStats) {
        let why = shortened(why);
        let is_other = lock(&self.state).insert_reason(format!("{}: {why}", reason.counter()));
        self.tell(reason, Some(&why), is_other, stats);
    }

    /// A receiver accepted everything, with a warning; or a file was written, but not all went well.
    pub(crate) fn warned(&self, what: &str) {
        let what = shortened(what);
        if lock(&self.state).insert_reason(format!("warning: {what}")) {
            let (items, to) = (self.signal.items(), self.to(&what));
            report(format_args!("a warning about {items} that were delivered: {what}{to}"));
        }
    }

    /// A request was too large for the receiver, and is sent in two parts.
    pub(crate) fn too_large(&self, why: &str, bytes: usize) {
        let why = shortened(why);
        if lock(&self.state).insert_reason(format!("too large: {why}")) {
            let to = self.to(&why);
            report(format_args!(
                "a request of {bytes} bytes is too large for the receiver, which gets smaller ones from now \
                 on: {why}{to}"
            ));
        }
    }

    /// Reports what has been lost since the last report and is due.
    pub(crate) fn check(&self, stats: &PipelineStats) {
        // What a shutdown drops is known at its end.
        for reason in Reason::ALL.into_iter().filter(|reason| *reason != Reason::Shutdown) {
            self.tell(reason, None, false, stats);
        }
    }

    /// Reports what has been lost since the last report, at the end.
    pub(crate) fn finish(&self, stats: &PipelineStats) {
        let trouble = self.trouble();
        for reason in Reason::ALL {
            let why =
                trouble.as_ref().filter(|_| reason == Reason::Shutdown).map(|trouble| trouble.why.as_str());
            self.tell(reason, why, true, stats);
        }
    }

    fn tell(&self, reason: Reason, why: Option<&str>, is_forced: bool, stats: &PipelineStats) {
        let total = reason.count(stats);
        let mut state = lock(&self.state);
        let reported = &mut state.losses[reason as usize];
        let is_due = is_forced || reported.at.is_none_or(|at| at.elapsed() >= INTERVAL);
        let count = total.saturating_sub(reported.count);
        if count == 0 || !is_due {
            return;
        }
        *reported = Reported { count: total, at: Some(Instant::now()) };
        drop(state);
        let text = reason.text(self.signal.items());
        let why = why.map(|why| format!(": {why}{}", self.to(why))).unwrap_or_default();
        report(format_args!("{text}{why}; {total} so far"));
        if let Some(on_loss) = &self.on_loss {
            let (signal, reason) = (self.signal.name(), reason.counter());
            let loss = Loss { signal, reason, count, total };
            if catch_unwind(AssertUnwindSafe(|| (on_loss.0)(&loss))).is_err() {
                report(format_args!("the function given to `on_loss` panicked"));
            }
        }
    }

    /// Names the receiver, unless the text does.
    fn to(&self, why: &str) -> String {
        match why.contains(&self.receiver) {
            true => String::new(),
            false => format!(" ({})", self.receiver),
        }
    }
}

impl State {
    /// Whether the reason is new, and is among the first ones.
    fn insert_reason(&mut self, reason: String) -> bool {
        self.reasons.len() < MAX_REASONS && self.reasons.insert(reason)
    }
}

fn shortened(why: &str) -> String {
    why[..why.floor_char_boundary(MAX_REASON_BYTES)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWAY: &str = "Connection refused";

    /// Guarantees: the beginning of an outage is reported, then totals once a minute, then its end.
    /// Outages that follow each other at once are one report.
    #[test]
    fn an_outage_is_reported_at_its_beginning_once_a_minute_and_at_its_end() {
        let reporter = Reporter::new(Signal::Logs, "http://collector".to_owned(), None);
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let stats = |lost| PipelineStats { dropped_queue_full: lost, pending: 5, ..PipelineStats::default() };
        let failed = |seconds, lost| reporter.failed_at(at(seconds), AWAY, &stats(lost));
        let accepted = |seconds, lost| reporter.accepted_at(at(seconds), &stats(lost));
        let beginning =
            "log records cannot be delivered yet, retrying: Connection refused (http://collector)";
        assert_eq!(accepted(0, 1), None);
        assert_eq!(failed(0, 1).as_deref(), Some(beginning));
        assert_eq!(failed(59, 3), None);
        assert_eq!(
            failed(61, 3).as_deref(),
            Some(
                "log records could not be delivered for 61 s, retrying: Connection refused \
                 (http://collector); 2 lost, 5 pending"
            )
        );
        assert_eq!(
            accepted(70, 5).as_deref(),
            Some("delivering again to http://collector after 70 s; 4 log records lost")
        );
        // Short ones within the minute.
        for second in 71..90 {
            assert_eq!((failed(second, 5), accepted(second, 5)), (None, None));
        }
        // One that lasts.
        assert_eq!(failed(100, 5), None);
        assert_eq!(failed(110, 5).as_deref(), Some(beginning));
        assert!(accepted(111, 5).is_some());
        // A short one, long after.
        assert_eq!(failed(200, 5).as_deref(), Some(beginning));
        assert!(accepted(200, 5).is_some());
    }
}
