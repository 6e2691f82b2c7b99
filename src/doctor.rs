//! A check-up: one span and one record take the real way to the receiver, and what is wrong on it is
//! named, with what to do.
//!
//! [`doctor`] examines this thread's subscriber, however it was made, and the pipelines of this
//! process. [`Guard::check`](crate::Guard::check) examines what its builder made.
//!
//! ```
//! let checkup = spanlog::doctor();
//! assert!(!checkup.is_healthy(), "nothing is installed here");
//! println!("{checkup}");
//! ```
//!
//! The record's event is named `spanlog.check`, and its span is a trace of its own with that name. Both
//! arrive in the store, where the [trace id](Checkup::trace_id) finds them.

pub(crate) mod arrival;
mod checkup;
mod finding;
mod probe;

use std::path::Path;
use std::time::Duration;

use tracing::dispatcher::get_default;
use tracing::Dispatch;

use crate::otlp::pipeline::Pipeline;
use crate::otlp::sync::after;

pub use self::checkup::Checkup;
pub use self::finding::{Finding, Problem};

/// How long a check-up waits for receivers.
const PATIENCE: Duration = Duration::from_secs(5);

/// Examines this thread's subscriber and the pipelines of this process: see the [module](self). Blocks for
/// at most 5 seconds.
///
/// What a record's way through an SDK logger provider leads to is not known here; with `install`,
/// [`Guard::check`](crate::Guard::check) knows.
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

    /// Sets the target of span and event, as filters see it. Default: the name of the program, which is the
    /// target of what its main crate logs.
    pub fn with_target(mut self, target: impl Into<String>) -> Self {
        self.target = target.into();
        self
    }

    /// Sets how long to wait for receivers. Default: 5 seconds.
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Examines this thread's subscriber and the pipelines of this process. Blocks until the deadline at
    /// most.
    pub fn run(&self) -> Checkup {
        let subscriber = get_default(Dispatch::clone);
        let pipelines = Pipeline::all();
        let mut checkup = self.send(&subscriber);
        if !pipelines.is_empty() && pipelines.iter().all(|pipeline| !pipeline.has_service_name()) {
            checkup.add(Finding::no_service_name());
        }
        arrival::wait(&pipelines, after(self.deadline), &mut checkup);
        checkup
    }

    /// Sends span and event to a subscriber, and examines what came of them in this process.
    pub(crate) fn send(&self, subscriber: &Dispatch) -> Checkup {
        let mut checkup = Checkup::default();
        probe::send(&self.target, subscriber, &mut checkup);
        checkup
    }

    #[cfg(feature = "install")]
    pub(crate) fn deadline(&self) -> Duration {
        self.deadline
    }
}

/// The name of the program, as the name of a crate.
fn program() -> String {
    let path = std::env::current_exe().ok();
    let name = path.as_deref().and_then(Path::file_stem).map(|name| name.to_string_lossy().replace('-', "_"));
    name.unwrap_or_else(|| "spanlog".to_owned())
}
