//! A check-up: sends one span and one record through the real pipeline, and reports what is wrong, with what
//! to do.
//!
//! [`doctor`] examines this thread's subscriber, however it was made, and the pipelines of this process.
//! [`Guard::check`](crate::Guard::check) examines what its builder made, with the SDK's exporters.
//!
//! ```
//! let checkup = spanlog::doctor();
//! assert!(!checkup.is_healthy(), "nothing is installed here");
//! println!("{checkup}");
//! ```
//!
//! The event is named `spanlog.check`, and so is its span, which is a trace of its own. Both arrive in the
//! store, where the [trace id](Checkup::trace_id) finds them. The event is logged at INFO, or where that
//! makes no record at WARN or ERROR; its record has the severity INFO in any case. The console of `install`
//! does not show it; layers of the program get it. To find per-layer filters, some more spans are started and
//! dropped while telemetry is suppressed.

pub(crate) mod arrival;
mod checkup;
mod finding;
mod probe;

use std::path::Path;
use std::time::Duration;

use tracing::dispatcher::get_default;
use tracing::Dispatch;

use crate::doctor::arrival::Watch;
use crate::otlp::pipeline::Pipeline;
use crate::otlp::sync::after;

pub use self::checkup::Checkup;
pub use self::finding::{Finding, Problem};

/// How long a check-up waits for layers and receivers.
const PATIENCE: Duration = Duration::from_secs(5);

/// Examines this thread's subscriber and the pipelines of this process: see the [module](self). Blocks for
/// at most 5 seconds: in asynchronous code, call it in `spawn_blocking` with
/// [`task::carry`](crate::task::carry).
///
/// Whether that arrives which takes other ways, such as the exporters of an SDK provider, is not known here;
/// with `install`, [`Guard::check`](crate::Guard::check) knows.
pub fn doctor() -> Checkup {
    Doctor::new().run()
}

/// A check-up with settings of its own.
#[derive(Clone, Debug)]
#[must_use = "nothing is checked until it is run"]
pub struct Doctor {
    target: String,
    deadline: Duration,
}

impl Default for Doctor {
    fn default() -> Self {
        Self::new()
    }
}

impl Doctor {
    /// The settings of [`doctor`].
    pub fn new() -> Self {
        Self { target: program(), deadline: PATIENCE }
    }

    /// Sets the target of span and event, as filters see it. Default: the file name of the program, which is
    /// usually the name of its main crate.
    ///
    /// What filters need to know of a target is kept until the program ends: use a few.
    pub fn with_target(mut self, target: impl Into<String>) -> Self {
        self.target = target.into();
        self
    }

    /// Sets how long to wait for layers and receivers. A receiver that keeps failing is waited for one
    /// second only. Default: 5 seconds.
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Examines this thread's subscriber and the pipelines of this process. Blocks until the deadline at
    /// most.
    pub fn run(&self) -> Checkup {
        let until = after(self.deadline);
        let subscriber = get_default(Dispatch::clone);
        let all = Pipeline::all();
        let open = all.iter().filter(|pipeline| !pipeline.is_closed()).cloned();
        let open: Vec<_> = open.collect();
        let pipelines = if open.is_empty() { all } else { open };
        let has_name = pipelines.is_empty() || pipelines.iter().any(Pipeline::has_service_name);
        let watch = Watch::begin(pipelines);
        let mut checkup = probe::send(&self.target, &subscriber, until);
        let [has_logs, has_spans] = watch.finish(until, &mut checkup);
        checkup.settle();
        let (is_logged, is_started) = (checkup.records > 0, checkup.has_span && checkup.trace_id.is_some());
        for (items, is_sent, is_known) in [("records", is_logged, has_logs), ("spans", is_started, has_spans)]
        {
            if is_sent && !is_known {
                let why = "they take no pipeline of this crate, or the sampler did not take them";
                checkup.fact(format!("whether {items} arrive is not known: {why}"));
            }
        }
        if !has_name {
            checkup.add(Finding::no_service_name());
        }
        checkup
    }
}

/// For [`Guard::check`](crate::Guard::check).
#[cfg(feature = "install")]
impl Doctor {
    pub(crate) fn deadline(&self) -> Duration {
        self.deadline
    }

    pub(crate) fn send(&self, subscriber: &Dispatch, until: std::time::Instant) -> Checkup {
        probe::send(&self.target, subscriber, until)
    }
}

/// The file name of the program, as the name of a crate.
fn program() -> String {
    let path = std::env::current_exe().ok();
    let name = path.as_deref().and_then(Path::file_stem).map(|name| name.to_string_lossy().replace('-', "_"));
    name.unwrap_or_else(|| "spanlog".to_owned())
}
