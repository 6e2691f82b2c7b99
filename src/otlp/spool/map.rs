//! What needs `unsafe`: mapping a file, and learning that this process was forked.

#![expect(unsafe_code, reason = "a mapping is memory that others could change, and libc is C")]

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Once;

use memmap2::{MmapMut, MmapOptions};

/// How many forks lead from the first process with a mapping to this one. A child shares the mappings of its
/// parent.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// Maps `len` bytes of `file` from `offset` on. The blocks of the file must be allocated, as a write to
/// one that is not would end the process with SIGBUS when the disk is full.
pub(super) fn map(file: &File, offset: u64, len: usize) -> io::Result<MmapMut> {
    // SAFETY: undefined behaviour would need somebody else to change the mapped part meanwhile. The file is
    // in a directory that this process has locked, and is mapped once. Others do not change it, unless
    // they ignore that lock; of a truncated file, the process would be ended with SIGBUS.
    unsafe { MmapOptions::new().offset(offset).len(len).map_mut(file) }
}

/// How many forks lead here. What was made with another number is the parent's.
#[inline]
pub(crate) fn forks() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

#[cfg(unix)]
pub(super) fn watch_forks() {
    extern "C" fn in_child() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the function only changes an atomic, which is allowed after a fork. It fails only without
        // memory, and then nothing is known of forks.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
}

#[cfg(not(unix))]
pub(super) fn watch_forks() {}
