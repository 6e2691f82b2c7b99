//! Finds the end of a JSON message while it is read.

use std::io::{self, Read};

use crate::graph::read::input::Input;

/// The maximum length of a string or number, which is in memory as a whole.
pub(super) const MAX_TOKEN_BYTES: usize = 16 << 20;

/// How deep objects and lists may be nested. serde_json remembers each level of members that it
/// skips.
pub(super) const MAX_DEPTH: usize = 4096;

/// How many bytes are needed to recognise the start of a message.
pub(super) const LOOK_AHEAD: usize = 64;

/// How a message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// At its last bracket.
    Complete,
    /// At the end of the source, at a line break inside a string, or where the next message starts.
    Truncated,
    /// In a string or number that is longer than [`MAX_TOKEN_BYTES`].
    TooLong,
    /// At a level beyond [`MAX_DEPTH`].
    TooDeep,
}

/// Reads the bytes of one message. The input is at its `{` to begin with.
pub(super) struct Message<'i, 's> {
    input: &'i mut Input<'s>,
    lines: u64,
    depth: usize,
    is_in_string: bool,
    is_escaped: bool,
    is_at_line_start: bool,
    /// The length of the string or number so far.
    token: usize,
    end: Option<End>,
}

impl<'i, 's> Message<'i, 's> {
    pub(super) fn new(input: &'i mut Input<'s>) -> Self {
        Self {
            input,
            lines: 0,
            depth: 0,
            is_in_string: false,
            is_escaped: false,
            is_at_line_start: false,
            token: 0,
            end: None,
        }
    }

    /// How many line breaks were read.
    pub(super) fn lines(&self) -> u64 {
        self.lines
    }

    /// Reads to the end of the message and returns how it ended.
    pub(super) fn finish(&mut self) -> End {
        loop {
            if let Some(end) = self.end {
                return end;
            }
            self.step(usize::MAX, |_| {});
        }
    }

    /// Reads some bytes, at most `max`, and passes them to `see`.
    fn step(&mut self, max: usize, see: impl FnOnce(&[u8])) -> usize {
        if self.is_at_line_start && starts_message(self.input.peek(LOOK_AHEAD)) {
            self.end = Some(End::Truncated);
            return 0;
        }
        self.is_at_line_start = false;
        let window = self.input.window();
        let window = &window[..window.len().min(max)];
        let mut seen = 0;
        let mut end = if window.is_empty() { Some(End::Truncated) } else { None };
        while let Some(byte) = window.get(seen) {
            seen += 1;
            if self.is_in_string {
                self.token += 1;
                if !self.is_escaped && is_plain(byte) {
                    // Skipped at once: most bytes are within strings.
                    let plain = window[seen..].iter().take_while(|byte| is_plain(byte)).count();
                    seen += plain;
                    self.token += plain;
                }
                match byte {
                    b'\n' => {
                        self.lines += 1;
                        end = Some(End::Truncated);
                        break;
                    }
                    _ if self.is_escaped => self.is_escaped = false,
                    b'\\' => self.is_escaped = true,
                    b'"' => self.is_in_string = false,
                    _ => {}
                }
            } else {
                match byte {
                    b'"' => (self.is_in_string, self.token) = (true, 0),
                    b'{' | b'[' => (self.depth, self.token) = (self.depth + 1, 0),
                    b'}' | b']' => {
                        (self.depth, self.token) = (self.depth.saturating_sub(1), 0);
                        if self.depth == 0 {
                            end = Some(End::Complete);
                            break;
                        }
                    }
                    b'\n' => {
                        self.lines += 1;
                        (self.is_at_line_start, self.token) = (true, 0);
                        break;
                    }
                    b',' | b':' | b' ' | b'\t' | b'\r' => self.token = 0,
                    _ => self.token += 1,
                }
                if self.depth > MAX_DEPTH {
                    end = Some(End::TooDeep);
                    break;
                }
            }
            if self.token > MAX_TOKEN_BYTES {
                end = Some(End::TooLong);
                break;
            }
        }
        see(&window[..seen]);
        self.end = end;
        self.input.consume(seen);
        seen
    }
}

impl Read for Message<'_, '_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.end.is_some() || out.is_empty() {
            return Ok(0);
        }
        Ok(self.step(out.len(), |bytes| out[..bytes.len()].copy_from_slice(bytes)))
    }
}

/// Whether a byte within a string neither ends it nor escapes the next one.
fn is_plain(byte: &u8) -> bool {
    !matches!(byte, b'"' | b'\\' | b'\n')
}

/// Whether a message starts here: nothing inside a message looks like that. So the message after a
/// truncated one is not lost. The same for a row: names of columns begin with a capital letter, and
/// those of OTLP's members do not.
pub(super) fn starts_message(ahead: &[u8]) -> bool {
    let Some(rest) = ahead.strip_prefix(b"{").map(<[u8]>::trim_ascii_start) else { return false };
    if matches!(rest, [b'"', b'A'..=b'Z', ..]) {
        return true;
    }
    let Some(rest) = rest.strip_prefix(b"\"resource") else { return false };
    let rest = rest.strip_prefix(b"_").unwrap_or(rest);
    [b"spans\"".as_slice(), b"logs\"", b"metrics\"", b"profiles\""]
        .iter()
        .any(|name| rest.get(..name.len()).is_some_and(|rest| rest.eq_ignore_ascii_case(name)))
}
