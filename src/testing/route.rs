//! To which capture a span or a record belongs: the rules of [`testing`](super), in their order.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;

use opentelemetry::SpanId;

use crate::testing::kept::Kept;
use crate::testing::{creator, runtime, thread_stack};

/// What is known of all captures of the process. Those that have ended are kept where a thread, a
/// runtime or a span may still refer to them.
#[derive(Default)]
struct Registry {
    /// How many captures there have been.
    count: u64,
    alive: Vec<Arc<Kept>>,
    /// The captures of the spans that were started. Of an ended capture, only open ones.
    spans: HashMap<SpanId, Arc<Kept>>,
    /// The captures of spans that were created and may not be started yet, by the address of their
    /// state.
    created: HashMap<usize, Arc<Kept>>,
    /// The captures that were made in a runtime, the latest last.
    runtimes: HashMap<runtime::RuntimeId, Vec<Arc<Kept>>>,
}

static REGISTRY: LazyLock<Mutex<Registry>> = LazyLock::new(Mutex::default);

/// Begins a capture, which takes what this thread and its runtime do from now on.
pub(crate) fn begin() -> Arc<Kept> {
    let mut registry = registry();
    registry.count += 1;
    let kept = Arc::new(Kept::new(registry.count));
    registry.alive.push(kept.clone());
    if let Some(runtime) = runtime::runtime() {
        let captures = registry.runtimes.entry(runtime).or_default();
        captures.retain(|capture| !capture.is_over());
        captures.push(kept.clone());
    }
    drop(registry);
    // A task may go on on another thread, and leave this one to other tasks.
    if kept.maker.1.is_none() {
        thread_stack::enter(kept.clone(), false);
    }
    kept
}

/// Ends a capture.
pub(crate) fn end(kept: &Arc<Kept>) {
    let open = kept.end();
    let is_other = |other: &Arc<Kept>| !Arc::ptr_eq(other, kept);
    let mut registry = registry();
    registry.alive.retain(is_other);
    registry.spans.retain(|id, capture| is_other(capture) || open.contains(id));
    drop(registry);
    // It stays on the stack, so that what its thread still does is no other capture's.
    if kept.maker.0 == thread::current().id() {
        thread_stack::mark();
    }
}

/// The capture of a record of this span, or of none. It may have ended.
pub(crate) fn of_record(span: Option<SpanId>) -> Option<Arc<Kept>> {
    let of_span = span.and_then(|span| registry().spans.get(&span).cloned());
    of_span.or_else(ambient)
}

/// The capture of a span that is started. `created`: what it was created as.
pub(crate) fn of_span(id: SpanId, parent: SpanId, created: Option<usize>) -> Option<Arc<Kept>> {
    let known = {
        let registry = registry();
        let of_creation = || created.and_then(|address| registry.created.get(&address));
        registry.spans.get(&parent).or_else(of_creation).cloned()
    };
    let kept = known.or_else(ambient)?;
    registry().spans.insert(id, kept.clone());
    Some(kept)
}

/// The capture of a span that ends.
pub(crate) fn of_ended_span(id: SpanId) -> Option<Arc<Kept>> {
    let mut registry = registry();
    let kept = registry.spans.get(&id).cloned()?;
    if kept.is_over() {
        registry.spans.remove(&id);
    }
    Some(kept)
}

/// A span is created on this thread, and started later, maybe on another one.
pub(crate) fn created(address: usize) {
    if let Some(kept) = ambient().or_else(|| is_others().then(others)) {
        registry().created.insert(address, kept);
    }
}

/// A span that was created is closed.
pub(crate) fn closed(address: usize) {
    registry().created.remove(&address);
}

/// A span without a capture: all of them are told. Those of other tests stay theirs.
pub(crate) fn stray_span(id: SpanId, name: &str) {
    stray(&format!("the span {name:?}"));
    if is_others() {
        registry().spans.insert(id, others());
    }
}

/// Something without a capture: all of them are told.
pub(crate) fn stray(what: &str) {
    let is_others = is_others();
    let alive = registry().alive.clone();
    if alive.is_empty() {
        return;
    }
    let thread = thread::current();
    let what = format!("{what} on thread {}", thread.name().unwrap_or("without a name"));
    for kept in alive {
        kept.add_stray(&what, is_others);
    }
}

/// In the place of a capture, for what is of tests that do not capture.
fn others() -> Arc<Kept> {
    static OTHERS: LazyLock<Arc<Kept>> = LazyLock::new(|| Arc::new(Kept::ended(creator::OTHERS)));
    OTHERS.clone()
}

/// Whether what this thread does is taken for that of a test that does not capture. Then, what the
/// threads that it starts do is, too.
fn is_others() -> bool {
    let number = creator::number();
    let is_others = number == Some(creator::OTHERS)
        || thread::current().name().is_some_and(is_of_test)
        || is_in_runtime_without_capture();
    if is_others && number.is_none() {
        creator::mark(creator::OTHERS);
    }
    is_others
}

/// Whether a thread has a name as that of a test: its path. On the main thread are the tests of
/// `--test-threads=1`.
fn is_of_test(name: &str) -> bool {
    let is_identifier =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_');
    name.split("::").all(is_identifier)
}

fn is_in_runtime_without_capture() -> bool {
    runtime::runtime().is_some_and(|runtime| !registry().runtimes.contains_key(&runtime))
}

/// The capture of what is done here outside any span: one that is alive, or else one that has
/// ended.
fn ambient() -> Option<Arc<Kept>> {
    let mut ended = None;
    for rule in [thread_stack::innermost, of_runtime, of_creator] {
        match rule() {
            Some(kept) if kept.is_over() => ended = Some(kept),
            Some(kept) => return Some(kept),
            None => {}
        }
    }
    ended
}

/// None if two tests share the runtime.
fn of_runtime() -> Option<Arc<Kept>> {
    let runtime = runtime::runtime()?;
    let registry = registry();
    let captures = registry.runtimes.get(&runtime)?;
    let latest = captures.iter().rfind(|kept| !kept.is_over()).or(captures.last())?;
    let is_shared = captures.iter().any(|kept| !kept.is_over() && kept.maker != latest.maker);
    (!is_shared).then(|| latest.clone())
}

fn of_creator() -> Option<Arc<Kept>> {
    let number = creator::number()?;
    let registry = registry();
    let alive = registry.alive.iter().find(|kept| kept.number == number).cloned();
    let is_ended = alive.is_none() && number <= registry.count;
    alive.or_else(|| is_ended.then(|| Arc::new(Kept::ended(number))))
}

fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}
