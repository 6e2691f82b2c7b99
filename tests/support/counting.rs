//! An allocator that tells of each allocation, for tests and benches that count them.

use std::alloc::{GlobalAlloc, Layout, System};
use std::marker::PhantomData;

/// Who is told. A type, so that telling costs no more than what it does.
pub(crate) trait Note {
    /// Called before each allocation and reallocation, on its thread. It must not allocate.
    fn note();
}

/// The system's allocator, telling `N`.
pub(crate) struct Counting<N>(PhantomData<N>);

impl<N> Counting<N> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

// SAFETY: everything is handed to `System` as it came.
unsafe impl<N: Note> GlobalAlloc for Counting<N> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        N::note();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        N::note();
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}
