//! A reusable buffer that records are encoded into.
//!
//! A `Vec` checks its capacity at each append, and encoding one field takes several. Here the
//! capacity for a whole field is ensured once, and all of it is initialised memory, left over from
//! earlier records. So the parts of a field are plain stores, mostly at constant offsets.

use std::fmt;

/// A larger buffer is shrunk rather than cached, so that one huge value does not hold its memory
/// forever.
const MAX_CACHED_BYTES: usize = 64 * 1024;

/// Bytes, written from front to back.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    /// All initialised. The first `len` are written, the rest is spare capacity.
    bytes: Vec<u8>,
    len: usize,
}

impl Buffer {
    pub(crate) const fn new() -> Self {
        Self { bytes: Vec::new(), len: 0 }
    }

    /// Clears the buffer and reserves its first `len` bytes, to be overwritten later.
    #[inline]
    pub(crate) fn begin(&mut self, len: usize) {
        if self.bytes.len() < len {
            self.grow(len);
        }
        self.len = len;
    }

    /// Passes `N` spare bytes to `write`, which returns how many of them it has written.
    #[inline(always)]
    pub(crate) fn write<const N: usize>(&mut self, write: impl FnOnce(&mut [u8; N]) -> usize) {
        match self.bytes.get_mut(self.len..).and_then(|behind| behind.first_chunk_mut()) {
            Some(spare) => self.len += write(spare),
            None => self.grow_and_write(write),
        }
    }

    #[cold]
    #[inline(never)]
    fn grow_and_write<const N: usize>(&mut self, write: impl FnOnce(&mut [u8; N]) -> usize) {
        self.grow(N);
        if let Some(spare) = self.bytes[self.len..].first_chunk_mut() {
            self.len += write(spare);
        }
    }

    #[inline(always)]
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        if self.bytes.len() - self.len < bytes.len() {
            self.grow(bytes.len());
        }
        self.bytes[self.len..][..bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Lets `write` append to the `Vec`. For what is rare or large.
    #[inline(never)]
    pub(crate) fn append_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.bytes.truncate(self.len);
        write(&mut self.bytes);
        self.len = self.bytes.len();
    }

    /// Replaces the `replaced` written bytes at `at` with `bytes`.
    pub(crate) fn replace(&mut self, at: usize, replaced: usize, bytes: &[u8]) {
        self.append_with(|out| drop(out.splice(at..at + replaced, bytes.iter().copied())));
    }

    /// The written bytes.
    #[inline]
    pub(crate) fn written(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    #[inline]
    pub(crate) fn written_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.len]
    }

    /// Whether it holds more memory than may be cached.
    #[inline]
    pub(crate) fn is_large(&self) -> bool {
        self.bytes.capacity() > MAX_CACHED_BYTES
    }

    /// Clears the buffer, and frees what exceeds the limit.
    #[cold]
    pub(crate) fn shrink(&mut self) {
        self.len = 0;
        self.bytes.truncate(MAX_CACHED_BYTES);
        self.bytes.shrink_to(MAX_CACHED_BYTES);
    }

    /// Ensures spare capacity for `more` bytes. It at least doubles the buffer.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, more: usize) {
        let wanted = self.len + more;
        self.bytes.resize(wanted.max(2 * self.bytes.len()).max(1024), 0);
    }
}

impl fmt::Write for Buffer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.len() <= MAX_SMALL_COPY {
            self.write::<MAX_SMALL_COPY>(|spare| {
                copy(spare, text.as_bytes());
                text.len()
            });
        } else {
            self.append(text.as_bytes());
        }
        Ok(())
    }
}

/// The longest text that is copied as two words.
const MAX_SMALL_COPY: usize = 2 * WORD;

const WORD: usize = 8;

/// Copies `bytes` to the front of `to`. Most texts are short, and a `memcpy` call would cost more
/// than the copy itself, so these are copied as two words, which may overlap.
#[inline(always)]
pub(crate) fn copy(to: &mut [u8], bytes: &[u8]) {
    match (bytes.first_chunk::<WORD>(), bytes.last_chunk::<WORD>()) {
        (Some(first), Some(last)) if bytes.len() <= MAX_SMALL_COPY => {
            to[..WORD].copy_from_slice(first);
            to[bytes.len() - WORD..][..WORD].copy_from_slice(last);
        }
        _ => to[..bytes.len()].copy_from_slice(bytes),
    }
}
