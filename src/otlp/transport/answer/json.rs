//! The two messages that answers consist of, read from JSON.
//!
//! Protobuf's JSON has 64-bit numbers as strings, and readers take numbers too, and either spelling of a field.
//! Not serde_json: this feature has no other use for it.

use crate::otlp::transport::answer::said::Said;

/// How deep values may be nested. An answer has three levels; more is skipped with the whole body.
const MOST_DEPTH: u8 = 32;

/// Of an `ExportLogsServiceResponse`: what is in its `partialSuccess`.
pub(crate) fn partial_success(text: &[u8]) -> Option<Said> {
    let mut said = Said::default();
    whole(text, |reader, key| match key {
        "partialSuccess" | "partial_success" => reader.object_or_null(|reader, key| match key {
            "rejectedLogRecords" | "rejected_log_records" => {
                said.rejected = reader.integer()?;
                Some(())
            }
            "errorMessage" | "error_message" => {
                said.message = reader.text_or_null()?;
                Some(())
            }
            _ => reader.skip(),
        }),
        _ => reader.skip(),
    })?;
    Some(said)
}

/// Of a `google.rpc.Status`: its message, unless it is empty.
pub(crate) fn status(text: &[u8]) -> Option<String> {
    let mut message = String::new();
    whole(text, |reader, key| match key {
        "message" => {
            message = reader.text_or_null()?;
            Some(())
        }
        _ => reader.skip(),
    })?;
    Some(message).filter(|message| !message.is_empty())
}

/// Reads one object, with nothing after it.
fn whole<'a>(text: &'a [u8], field: impl FnMut(&mut Reader<'a>, &str) -> Option<()>) -> Option<()> {
    let mut reader = Reader { rest: std::str::from_utf8(text).ok()?, depth: 0 };
    reader.object(field)?;
    reader.space();
    reader.rest.is_empty().then_some(())
}

struct Reader<'a> {
    rest: &'a str,
    depth: u8,
}

impl<'a> Reader<'a> {
    fn object_or_null(&mut self, field: impl FnMut(&mut Self, &str) -> Option<()>) -> Option<()> {
        match self.word("null") {
            true => Some(()),
            false => self.object(field),
        }
    }

    fn object(&mut self, mut field: impl FnMut(&mut Self, &str) -> Option<()>) -> Option<()> {
        self.list('{', '}', |reader| {
            let key = reader.text()?;
            reader.expect(':')?;
            field(reader, &key)
        })
    }

    fn list(&mut self, open: char, close: char, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.expect(open)?;
        self.depth = self.depth.checked_add(1).filter(|depth| *depth <= MOST_DEPTH)?;
        if self.expect(close).is_none() {
            loop {
                item(self)?;
                if self.expect(',').is_none() {
                    self.expect(close)?;
                    break;
                }
            }
        }
        self.depth -= 1;
        Some(())
    }

    fn skip(&mut self) -> Option<()> {
        self.space();
        match self.rest.bytes().next()? {
            b'{' => self.object(|reader, _| reader.skip()),
            b'[' => self.list('[', ']', Self::skip),
            b'"' => self.text().map(drop),
            b't' => self.word("true").then_some(()),
            b'f' => self.word("false").then_some(()),
            b'n' => self.word("null").then_some(()),
            _ => self.number().map(drop),
        }
    }

    /// A 64-bit number, in quotes or not.
    fn integer(&mut self) -> Option<i64> {
        self.space();
        if self.rest.starts_with('"') {
            return self.text()?.parse().ok();
        }
        if self.word("null") {
            return Some(0);
        }
        self.number()?.parse().ok()
    }

    /// What looks like a number. What it is worth is asked only of those that count.
    fn number(&mut self) -> Option<&'a str> {
        self.space();
        let is_part = |char: char| matches!(char, '0'..='9' | '-' | '+' | '.' | 'e' | 'E');
        let end = self.rest.find(|char| !is_part(char)).unwrap_or(self.rest.len());
        let (number, rest) = self.rest.split_at(end);
        self.rest = rest;
        number.parse::<f64>().ok().map(|_| number)
    }

    fn text_or_null(&mut self) -> Option<String> {
        match self.word("null") {
            true => Some(String::new()),
            false => self.text(),
        }
    }

    fn text(&mut self) -> Option<String> {
        self.expect('"')?;
        let mut text = String::new();
        loop {
            match self.next()? {
                '"' => return Some(text),
                '\\' => text.push(self.escaped()?),
                // JSON wants these escaped.
                char if char < ' ' => return None,
                char => text.push(char),
            }
        }
    }

    fn escaped(&mut self) -> Option<char> {
        Some(match self.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let unit = self.unit()?;
                match unit {
                    0xd800..=0xdbff if self.rest.starts_with("\\u") => {
                        self.rest = &self.rest[2..];
                        char::decode_utf16([unit, self.unit()?])
                            .next()?
                            .unwrap_or(char::REPLACEMENT_CHARACTER)
                    }
                    unit => char::from_u32(unit.into()).unwrap_or(char::REPLACEMENT_CHARACTER),
                }
            }
            char @ ('"' | '\\' | '/') => char,
            _ => return None,
        })
    }

    fn unit(&mut self) -> Option<u16> {
        let (digits, rest) = self.rest.split_at_checked(4)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        self.rest = rest;
        u16::from_str_radix(digits, 16).ok()
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next();
        self.rest = chars.as_str();
        next
    }

    /// Takes this character, after spaces, if it is the next one.
    fn expect(&mut self, wanted: char) -> Option<()> {
        self.space();
        self.rest = self.rest.strip_prefix(wanted)?;
        Some(())
    }

    fn word(&mut self, word: &str) -> bool {
        self.space();
        let rest = self.rest.strip_prefix(word);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }
}
