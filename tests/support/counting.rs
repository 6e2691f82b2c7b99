//! An allocator that reports each allocation, for tests and benches that count them.

use std::alloc::{GlobalAlloc, Layout, System};
use std::marker::PhantomData;

/// What observes allocations. A type rather than a value, so that calling it costs nothing extra.
pub(crate) trait Observer {
    /// Called before each allocation of `size` bytes and each reallocation to it, on its thread. It
    /// must not allocate.
    fn allocated(size: usize);

    /// Called when so many bytes are returned, by a reallocation too. It must not allocate.
    fn freed(size: usize) {
        let _ = size;
    }
}

/// The system's allocator, observed by `N`.
pub(crate) struct Counting<N>(PhantomData<N>);

impl<N> Counting<N> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

// SAFETY: everything is passed to `System` unchanged.
unsafe impl<N: Observer> GlobalAlloc for Counting<N> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        N::allocated(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        N::allocated(size);
        N::freed(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        N::freed(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}
