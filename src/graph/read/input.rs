//! A buffered source that can be peeked at.

use std::io::{self, Read};

/// The size of the buffer.
const WINDOW: usize = 64 * 1024;

/// A reader with a buffer that can be peeked at.
pub(super) struct Input<'a> {
    source: Box<dyn Read + 'a>,
    buffer: Vec<u8>,
    /// `buffer[start..end]` has been read from the source and not consumed.
    start: usize,
    end: usize,
    /// How many bytes were consumed.
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

    /// The buffered bytes; empty at the end of the source only.
    pub(super) fn window(&mut self) -> &[u8] {
        self.peek(1)
    }

    /// At least `wanted` bytes, or all that are left. `wanted` is far less than [`WINDOW`].
    pub(super) fn peek(&mut self, wanted: usize) -> &[u8] {
        while self.end - self.start < wanted && !self.is_at_end {
            self.fill();
        }
        &self.buffer[self.start..self.end]
    }

    /// Consumes bytes that were peeked at.
    pub(super) fn consume(&mut self, bytes: usize) {
        self.start += bytes;
        self.offset += bytes as u64;
    }

    /// Consumes the bytes up to the first one for which `is_skipped` is false.
    pub(super) fn skip_while(&mut self, mut is_skipped: impl FnMut(u8) -> bool) {
        loop {
            let window = self.window();
            let skipped = window.iter().take_while(|byte| is_skipped(**byte)).count();
            let is_done = skipped < window.len() || window.is_empty();
            self.consume(skipped);
            if is_done {
                return;
            }
        }
    }

    /// Consumes `bytes` and passes them on piece by piece. Returns whether there were that many.
    pub(super) fn take_pieces(&mut self, mut bytes: u64, mut piece: impl FnMut(&[u8])) -> bool {
        while bytes > 0 {
            let window = self.window();
            let taken = window.len().min(usize::try_from(bytes).unwrap_or(usize::MAX));
            if taken == 0 {
                return false;
            }
            piece(&window[..taken]);
            self.consume(taken);
            bytes -= taken as u64;
        }
        true
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// The error that ended the source, if any.
    pub(super) fn failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    fn fill(&mut self) {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        match self.source.read(&mut self.buffer[self.end..]) {
            Ok(0) => self.is_at_end = true,
            // A reader that claims more bytes than fit into its buffer is wrong, but no reason to
            // panic.
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
        self.consume(bytes);
        match &self.failure {
            // A copy: the failure is also that of this input.
            Some(failure) if bytes == 0 => Err(io::Error::new(failure.kind(), failure.to_string())),
            _ => Ok(bytes),
        }
    }
}
