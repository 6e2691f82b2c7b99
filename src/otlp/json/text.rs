//! A writer of JSON text, with the forms of values that OTLP's JSON has.

use base64::prelude::{Engine, BASE64_STANDARD};

/// JSON that is being written.
///
/// Whether a comma is needed is derived from the last byte: none is needed after an opening
/// bracket.
#[derive(Debug)]
pub(crate) struct Text(String);

impl Text {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    pub(crate) fn finish(self) -> String {
        self.0
    }

    /// Opens an object or a list, as an element or as the value of a member.
    #[inline]
    pub(crate) fn open(&mut self, bracket: char) {
        if !matches!(self.0.as_bytes().last(), None | Some(b'{' | b'[' | b':')) {
            self.0.push(',');
        }
        self.0.push(bracket);
    }

    #[inline]
    pub(crate) fn close(&mut self, bracket: char) {
        self.0.push(bracket);
    }

    /// The name of a member, which needs no escaping. Its value must be written next.
    #[inline]
    pub(crate) fn name(&mut self, name: &'static str) {
        match self.0.as_bytes().last() {
            Some(b'{') => self.0.push('"'),
            _ => self.0.push_str(",\""),
        }
        self.0.push_str(name);
        self.0.push_str("\":");
    }

    #[inline]
    pub(crate) fn boolean(&mut self, value: bool) {
        self.0.push_str(if value { "true" } else { "false" });
    }

    #[inline]
    pub(crate) fn number(&mut self, value: impl itoa::Integer) {
        self.0.push_str(itoa::Buffer::new().format(value));
    }

    /// A 64-bit integer. It is a string, as many readers take JSON's numbers for doubles.
    #[inline]
    pub(crate) fn quoted(&mut self, value: impl itoa::Integer) {
        self.0.push('"');
        self.number(value);
        self.0.push('"');
    }

    /// A double. Those that JSON has no number for are strings, as in proto3's JSON.
    ///
    /// Some readers, rotel among them, accept numbers only and reject the whole request. There is
    /// no other form that keeps the value.
    pub(crate) fn double(&mut self, value: f64) {
        if value.is_finite() {
            self.0.push_str(zmij::Buffer::new().format_finite(value));
        } else if value.is_nan() {
            self.0.push_str("\"NaN\"");
        } else {
            self.0.push_str(if value > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" });
        }
    }

    pub(crate) fn base64(&mut self, bytes: &[u8]) {
        self.0.push('"');
        BASE64_STANDARD.encode_string(bytes, &mut self.0);
        self.0.push('"');
    }

    pub(crate) fn hex(&mut self, bytes: &[u8]) {
        const DIGITS: [char; 16] =
            ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
        self.0.push('"');
        for byte in bytes {
            self.0.push(DIGITS[usize::from(byte >> 4)]);
            self.0.push(DIGITS[usize::from(byte & 15)]);
        }
        self.0.push('"');
    }

    /// A string. Only what must be escaped is: not U+2028, nor anything else beyond ASCII.
    #[inline]
    pub(crate) fn string(&mut self, text: &str) {
        self.0.push('"');
        let mut written = 0;
        for (index, byte) in text.bytes().enumerate() {
            if ESCAPED[usize::from(byte)] {
                // An escaped byte is ASCII, so that both ends are char boundaries.
                self.0.push_str(&text[written..index]);
                self.escape(byte);
                written = index + 1;
            }
        }
        self.0.push_str(&text[written..]);
        self.0.push('"');
    }

    #[cold]
    fn escape(&mut self, byte: u8) {
        let short = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x08 => "\\b",
            0x0c => "\\f",
            _ => {
                // Below 0x20, so the first of its hex digits is 0 or 1.
                self.0.push_str(if byte < 0x10 { "\\u000" } else { "\\u001" });
                self.0.extend(char::from_digit(u32::from(byte & 15), 16));
                return;
            }
        };
        self.0.push_str(short);
    }
}

/// The bytes that a JSON string cannot contain unescaped.
const ESCAPED: [bool; 256] = {
    let mut escaped = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        escaped[byte] = true;
        byte += 1;
    }
    escaped[b'"' as usize] = true;
    escaped[b'\\' as usize] = true;
    escaped
};
