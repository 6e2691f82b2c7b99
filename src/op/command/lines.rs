//! Logs what a child writes: one event for each line, as soon as it is complete.

use std::io;
use std::pin::Pin;
use std::task::{ready, Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};
use tracing::Level;

/// The limit of a line, beyond which it is truncated. Large enough for a plan or a stack trace on
/// one line, small enough for every back end.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// The size of a read. A pipe holds 64 KiB, so a few reads empty it.
const READ_BYTES: usize = 8 * 1024;

/// One of a child's output streams. It buffers one read and one line, never more.
pub(crate) struct Stream<R> {
    /// `None` after the end of the stream.
    pipe: Option<R>,
    buffer: Box<[u8]>,
    pub(crate) lines: Lines,
    pub(crate) read_bytes: u64,
}

impl<R: AsyncRead + Unpin> Stream<R> {
    pub(crate) fn new(pipe: Option<R>, name: &'static str, level: Level) -> Self {
        let buffer = vec![0; READ_BYTES].into_boxed_slice();
        Self { pipe, buffer, lines: Lines::new(name, level), read_bytes: 0 }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.pipe.is_some()
    }

    /// Reads once, and logs the lines that this completes. Pending: there is nothing to read now.
    pub(crate) fn poll_read(&mut self, task: &mut Context<'_>) -> Poll<()> {
        let Some(pipe) = &mut self.pipe else { return Poll::Pending };
        let mut buffer = ReadBuf::new(&mut self.buffer);
        let read: io::Result<()> = ready!(Pin::new(pipe).poll_read(task, &mut buffer));
        let bytes = buffer.filled();
        // A read error is treated as the end, as nothing more can be read.
        if read.is_err() || bytes.is_empty() {
            self.pipe = None;
            self.lines.finish();
        } else {
            self.read_bytes += bytes.len() as u64;
            self.lines.feed(bytes);
        }
        Poll::Ready(())
    }
}

/// Splits bytes into lines, and logs each.
pub(crate) struct Lines {
    /// `stdout` or `stderr`.
    name: &'static str,
    level: Level,
    /// The line so far: at most [`MAX_LINE_BYTES`], and one byte that may be the `\r` of its end.
    line: Vec<u8>,
    /// The line was truncated and logged, and the rest of it is skipped.
    is_skipping: bool,
    pub(crate) logged: u64,
    pub(crate) truncated: u64,
}

impl Lines {
    fn new(name: &'static str, level: Level) -> Self {
        Self { name, level, line: Vec::new(), is_skipping: false, logged: 0, truncated: 0 }
    }

    fn feed(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(rest) => {
                    self.push(rest);
                    self.end_line();
                }
                None => self.push(piece),
            }
        }
    }

    /// Logs a last line without a line ending.
    pub(crate) fn finish(&mut self) {
        if !self.line.is_empty() {
            self.end_line();
        }
        self.is_skipping = false;
    }

    fn push(&mut self, bytes: &[u8]) {
        if self.is_skipping {
            return;
        }
        let capacity = MAX_LINE_BYTES + 1 - self.line.len();
        self.line.extend_from_slice(&bytes[..bytes.len().min(capacity)]);
        if bytes.len() > capacity {
            // Logged now, as the end of the line may never come.
            self.log_truncated();
            self.is_skipping = true;
        }
    }

    fn end_line(&mut self) {
        if std::mem::take(&mut self.is_skipping) {
            return;
        }
        if self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        if self.line.len() > MAX_LINE_BYTES {
            self.log_truncated();
        } else {
            self.log();
        }
    }

    fn log_truncated(&mut self) {
        self.line.truncate(MAX_LINE_BYTES);
        self.line.truncate(whole_chars(&self.line));
        self.truncated += 1;
        self.log();
    }

    fn log(&mut self) {
        self.logged += 1;
        log(self.level, self.name, &String::from_utf8_lossy(&self.line));
        self.line.clear();
    }
}

/// The length of `bytes` without an incomplete UTF-8 character at its end.
fn whole_chars(bytes: &[u8]) -> usize {
    let lead = bytes.iter().rposition(|byte| byte & 0b1100_0000 != 0b1000_0000);
    let Some(lead) = lead else { return bytes.len() };
    let wanted = match bytes[lead] {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => 1,
    };
    if lead + wanted > bytes.len() {
        lead
    } else {
        bytes.len()
    }
}

fn log(level: Level, stream: &'static str, line: &str) {
    // The level is part of a callsite, so each level needs its own.
    macro_rules! event {
        ($level:expr) => {
            tracing::event!(target: "spanlog::op::command", $level, log.iostream = stream, message = line)
        };
    }
    match level {
        Level::ERROR => event!(Level::ERROR),
        Level::WARN => event!(Level::WARN),
        Level::INFO => event!(Level::INFO),
        Level::DEBUG => event!(Level::DEBUG),
        Level::TRACE => event!(Level::TRACE),
    }
}
