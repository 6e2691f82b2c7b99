//! The captures of a thread: the one that was made on it, and those in whose scope it is.

use std::cell::RefCell;
use std::sync::Arc;

use crate::testing::creator;
use crate::testing::kept::Kept;

thread_local! {
    /// The innermost last.
    static STACK: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
}

struct Entry {
    kept: Arc<Kept>,
    /// Only as long as a closure runs, which belongs to the capture even if that has ended.
    is_scope: bool,
}

impl Entry {
    fn counts(&self) -> bool {
        self.is_scope || !self.kept.is_over()
    }
}

/// Makes this the innermost capture of the thread. `is_scope`: until [`leave`].
pub(crate) fn enter(kept: Arc<Kept>, is_scope: bool) {
    let _ = STACK.try_with(|stack| {
        let mut stack = stack.borrow_mut();
        stack.retain(Entry::counts);
        stack.push(Entry { kept, is_scope });
    });
    mark();
}

/// Undoes [`enter`] with a scope.
pub(crate) fn leave(kept: &Arc<Kept>) {
    let is_it = |entry: &Entry| entry.is_scope && Arc::ptr_eq(&entry.kept, kept);
    let _ = STACK.try_with(|stack| {
        let mut stack = stack.borrow_mut();
        if let Some(place) = stack.iter().rposition(is_it) {
            stack.remove(place);
        }
    });
    mark();
}

/// Gives the threads that this one will start to its innermost capture.
pub(crate) fn mark() {
    creator::mark(innermost().map_or(0, |kept| kept.number));
}

/// The innermost capture of this thread that has not ended, or else one that has.
pub(crate) fn innermost() -> Option<Arc<Kept>> {
    let find = |stack: &[Entry]| {
        let entry = stack.iter().rfind(|entry| entry.counts()).or(stack.last())?;
        Some(entry.kept.clone())
    };
    STACK.try_with(|stack| find(&stack.borrow())).ok().flatten()
}
