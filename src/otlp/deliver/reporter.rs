//! Reports outages and losses of one signal while they last: when they begin, at most once a minute
//! with totals, and when delivery is back.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::diagnostics::report;
use crate::otlp::counters::Stats;
use crate::otlp::signal::Signal;
use crate::otlp::sync::{lock, Mutex};

/// How often a loss or an outage that lasts is reported.
const INTERVAL: Duration = Duration::from_secs(60);

/// How much of a receiver's text is reported.
const MAX_REASON_BYTES: usize = 300;

/// How many different reasons are reported at once. Further ones wait for the interval: their texts
/// are partly the receiver's and may differ each time.
const MAX_REASONS: usize = 16;

/// A loss, passed to [`Builder::on_loss`](super::super::Builder::on_loss).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loss {
    /// `logs` or `traces`.
    pub signal: &'static str,
    /// Why: the name of a counter of [`Stats`](super::super::Stats), such as `dropped_queue_full`.
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
    Rejected,
}

impl Reason {
    const ALL: [Self; 8] = [
        Self::QueueFull,
        Self::Oldest,
        Self::TooLarge,
        Self::Refused,
        Self::GaveUp,
        Self::Shutdown,
        Self::Unmade,
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
            Self::Rejected => "rejected",
        }
    }

    fn count(self, stats: &Stats) -> u64 {
        match self {
            Self::QueueFull => stats.dropped_queue_full,
            Self::Oldest => stats.dropped_oldest,
            Self::TooLarge => stats.dropped_too_large,
            Self::Refused => stats.dropped_refused,
            Self::GaveUp => stats.dropped_gave_up,
            Self::Shutdown => stats.dropped_shutdown,
            Self::Unmade => stats.dropped_unmade,
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
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    outage: Option<Outage>,
    losses: [Reported; Reason::ALL.len()],
    /// Reasons for losses and outages that were reported.
    reasons: HashSet<String>,
}

#[derive(Debug)]
struct Outage {
    begun: Instant,
    /// How much was lost when it began.
    lost_before: u64,
    reported: Instant,
}

/// What was reported of one reason.
#[derive(Clone, Copy, Debug, Default)]
struct Reported {
    count: u64,
    at: Option<Instant>,
}

impl Reporter {
    pub(crate) fn new(signal: Signal, receiver: String, on_loss: Option<OnLoss>) -> Self {
        Self { signal, receiver, on_loss, state: Mutex::default() }
    }

    /// An attempt to send failed, and will be repeated.
    pub(crate) fn failed(&self, why: &str, stats: &Stats) {
        let now = Instant::now();
        let items = self.signal.items();
        let why = shortened(why);
        let mut state = lock(&self.state);
        let lost = stats.lost();
        let outage = state.outage.get_or_insert(Outage { begun: now, lost_before: lost, reported: now });
        let (is_new, lasts) = (outage.begun == now, now.duration_since(outage.begun));
        let is_due = now.duration_since(outage.reported) >= INTERVAL;
        let lost = lost.saturating_sub(outage.lost_before);
        if is_due {
            outage.reported = now;
        }
        let is_other = state.insert_reason(format!("{items}: {why}"));
        drop(state);
        if is_new || is_other {
            report(format_args!("{items} cannot be delivered yet, retrying: {why}{}", self.to(&why)));
        } else if is_due {
            report(format_args!(
                "{items} could not be delivered for {} s, retrying: {why}{}; {lost} lost, {} pending",
                lasts.as_secs(),
                self.to(&why),
                stats.pending
            ));
        }
        self.check(stats);
    }

    /// A request was accepted.
    pub(crate) fn accepted(&self, stats: &Stats) {
        let Some(outage) = lock(&self.state).outage.take() else { return };
        let lost = stats.lost().saturating_sub(outage.lost_before);
        report(format_args!(
            "delivering again to {} after {} s; {lost} {} lost",
            self.receiver,
            outage.begun.elapsed().as_secs(),
            self.signal.items()
        ));
    }

    /// Something was lost for a reason that the receiver gave.
    pub(crate) fn lost(&self, reason: Reason, why: &str, stats: &Stats) {
        let why = shortened(why);
        let is_other = lock(&self.state).insert_reason(format!("{}: {why}", reason.counter()));
        self.tell(reason, Some(&why), is_other, stats);
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
    pub(crate) fn check(&self, stats: &Stats) {
        for reason in Reason::ALL {
            self.tell(reason, None, false, stats);
        }
    }

    fn tell(&self, reason: Reason, why: Option<&str>, is_forced: bool, stats: &Stats) {
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
            (on_loss.0)(&Loss { signal, reason, count, total });
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
