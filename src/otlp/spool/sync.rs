//! Writing segments to the disk, so that they also survive a failure of the machine.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::otlp::signal::Signal;
use crate::otlp::spool::directory::Directory;

/// The shortest interval: a sync takes about as long.
const LEAST: Duration = Duration::from_millis(10);

/// How often the time is kept at which the process was last alive.
const ALIVE: Duration = Duration::from_secs(1);

/// When a spool is written to the disk. What the process's death leaves is complete with each of them:
/// the system has it, and writes it to the disk in its own time. They differ in what is lost when the
/// *machine* fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpoolSync {
    /// The system decides, usually within 30 seconds.
    Never,
    /// So often, but not more often than every 10 milliseconds. What was emitted since then is lost with the
    /// machine. The default, with one second.
    Interval(Duration),
    /// Before each request, and whenever a segment is full: what a receiver was offered is on the disk. What
    /// was emitted since then is lost with the machine: at most a segment, 60 KiB, of each thread.
    EveryBatch,
}

impl Default for SpoolSync {
    fn default() -> Self {
        Self::Interval(Duration::from_secs(1))
    }
}

/// Work for the spool's thread.
type OnDemand = Box<dyn Fn() -> bool + Send>;

/// The spool's thread: it syncs segments, and makes new ones ahead.
#[derive(Debug)]
pub(super) struct Syncer {
    policy: SpoolSync,
    shared: Arc<Shared>,
    directory: Arc<Directory>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// What is done when there is a demand, until it returns false.
    on_demand: Mutex<Vec<OnDemand>>,
    /// There is something to do.
    changed: Condvar,
}

/// A segment that the disk does not have.
#[derive(Clone, Copy, Debug)]
struct Unsynced {
    signal: Signal,
    file: u64,
    is_full: bool,
    /// Of the segment: it may be used again meanwhile.
    number: u64,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("state", &self.state).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct State {
    /// The segments that the disk does not have.
    unsynced: HashMap<(&'static str, u64), Unsynced>,
    /// The number of uses that were begun.
    uses: u64,
    has_full: bool,
    has_demand: bool,
    is_closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Syncs what there is. Full segments need no more of that.
    fn sync(&self, directory: &Directory) {
        let mut state = self.lock();
        state.has_full = false;
        let segments: Vec<Unsynced> = state.unsynced.values().copied().collect();
        drop(state);
        for synced in &segments {
            // One that was removed meanwhile is done.
            let opened = File::open(directory.segment(synced.signal, synced.file));
            let _ = opened.and_then(|file| file.sync_data());
            if synced.is_full {
                let key = (synced.signal.name(), synced.file);
                let mut state = self.lock();
                if state.unsynced.get(&key).is_some_and(|now| now.number == synced.number) {
                    state.unsynced.remove(&key);
                }
            }
        }
        // The names of new files.
        if !segments.is_empty() {
            let _ = File::open(directory.path()).and_then(|directory| directory.sync_all());
        }
    }
}

impl Syncer {
    pub(super) fn start(policy: SpoolSync, directory: Arc<Directory>) -> Result<Self, Error> {
        let shared = Arc::<Shared>::default();
        let (own, weak) = (Arc::clone(&shared), Arc::downgrade(&directory));
        let run = move || run(&own, &weak, policy);
        thread::Builder::new().name("spanlog-spool".into()).spawn(run).map_err(|error| {
            Error::delivery("cannot start the thread that syncs the spool".into()).with_source(error)
        })?;
        Ok(Self { policy, shared, directory })
    }

    pub(super) fn begun(&self, signal: Signal, file: u64) {
        if self.policy != SpoolSync::Never {
            let mut state = self.shared.lock();
            state.uses += 1;
            let begun = Unsynced { signal, file, is_full: false, number: state.uses };
            state.unsynced.insert((signal.name(), file), begun);
        }
    }

    pub(super) fn is_full(&self, signal: Signal, file: u64) {
        if self.policy == SpoolSync::Never {
            return;
        }
        let mut state = self.shared.lock();
        if let Some(unsynced) = state.unsynced.get_mut(&(signal.name(), file)) {
            unsynced.is_full = true;
            state.has_full = self.policy == SpoolSync::EveryBatch;
        }
        let has_full = state.has_full;
        drop(state);
        if has_full {
            self.shared.changed.notify_one();
        }
    }

    /// The segment is empty, or gone.
    pub(super) fn forget(&self, signal: Signal, file: u64) {
        if self.policy != SpoolSync::Never {
            self.shared.lock().unsynced.remove(&(signal.name(), file));
        }
    }

    pub(super) fn before_request(&self) {
        if self.policy == SpoolSync::EveryBatch {
            self.shared.sync(&self.directory);
        }
    }

    pub(super) fn on_demand(&self, work: OnDemand) {
        self.shared.on_demand.lock().unwrap_or_else(PoisonError::into_inner).push(work);
    }

    /// Has the work done.
    pub(super) fn demand(&self) {
        if !std::mem::replace(&mut self.shared.lock().has_demand, true) {
            self.shared.changed.notify_one();
        }
    }

    /// Ends its thread, and syncs what is left.
    pub(super) fn finish(&self) {
        self.close();
        if self.policy != SpoolSync::Never {
            self.shared.sync(&self.directory);
        }
    }

    /// Ends its thread.
    fn close(&self) {
        self.shared.lock().is_closed = true;
        self.shared.changed.notify_one();
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.close();
    }
}

/// Syncs as `policy` says, keeps the time at which the process was last alive, and does what is demanded.
fn run(shared: &Shared, directory: &Weak<Directory>, policy: SpoolSync) {
    let interval = match policy {
        SpoolSync::Interval(interval) => interval.clamp(LEAST, ALIVE),
        SpoolSync::Never | SpoolSync::EveryBatch => ALIVE,
    };
    let (mut woken, mut synced) = (Instant::now(), Instant::now());
    loop {
        let idle = |state: &mut State| !state.is_closed && !state.has_full && !state.has_demand;
        let left = interval.saturating_sub(woken.elapsed());
        let waited = shared.changed.wait_timeout_while(shared.lock(), left, idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        let (is_closed, has_full) = (state.is_closed, state.has_full);
        let has_demand = std::mem::take(&mut state.has_demand);
        drop(state);
        if is_closed {
            return;
        }
        if has_demand {
            shared.on_demand.lock().unwrap_or_else(PoisonError::into_inner).retain(|work| work());
        }
        let Some(directory) = directory.upgrade() else { return };
        let is_due = match policy {
            SpoolSync::Never => false,
            SpoolSync::Interval(interval) => synced.elapsed() >= interval.max(LEAST),
            SpoolSync::EveryBatch => has_full,
        };
        if is_due {
            synced = Instant::now();
            shared.sync(&directory);
        }
        if woken.elapsed() >= interval {
            woken = Instant::now();
            directory.set_alive();
        }
    }
}
