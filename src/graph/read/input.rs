//! The bytes of a source, with a look at what comes next.

use std::io::{self, Read};

/// The most bytes that are held at once.
const WINDOW: usize = 64 * 1024;

/// A reader that can look ahead, whatever it reads from.
pub(super) struct Input<'a> {
    source: Box<dyn Read + 'a>,
    buffer: Vec<u8>,
    /// What is read and not yet taken is `buffer[start..end]`.
    start: usize,
    end: usize,
    /// How many bytes were taken.
    offset: u64,
    is_at_end: bool,
    failure: Option<io::Error>,
}

impl<'a> Input<'a> {
    pub(super) fn new(source: impl Read + 'a) -> Self {
        Self {
            source: Box::new(source),
            buffer: vec![0; WINDOW],
            start: 0,
            end: 0,
            offset: 0,
            is_at_end: false,
            failure: None,
        }
    }

    /// Everything that is at hand, which is something unless the source has ended.
    pub(super) fn window(&mut self) -> &[u8] {
        self.peek(1)
    }

    /// At least `wanted` bytes, or all that are left. `wanted` is far less than the window.
    pub(super) fn peek(&mut self, wanted: usize) -> &[u8] {
        while self.end - self.start < wanted && !self.is_at_end {
            self.fill();
        }
        &self.buffer[self.start..self.end]
    }

    /// Goes on by `bytes`, which were seen.
    pub(super) fn take(&mut self, bytes: usize) {
        self.start += bytes;
        self.offset += bytes as u64;
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Why the source ended, if that was no proper end.
    pub(super) fn failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    fn fill(&mut self) {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        match self.source.read(&mut self.buffer[self.end..]) {
            Ok(0) => self.is_at_end = true,
            // A reader that says more than it was given room for is wrong, but no reason to panic.
            Ok(bytes) => self.end = (self.end + bytes).min(self.buffer.len()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                self.failure = Some(error);
                self.is_at_end = true;
            }
        }
    }
}

impl Read for Input<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let window = self.window();
        let bytes = window.len().min(out.len());
        out[..bytes].copy_from_slice(&window[..bytes]);
        self.take(bytes);
        match self.failure.take().filter(|_| bytes == 0) {
            Some(failure) => Err(failure),
            None => Ok(bytes),
        }
    }
}
