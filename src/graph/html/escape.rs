//! Escapes text for the places of the report where it is inserted.

use std::io::{self, Write};

use crate::graph::escape::needs_escape;

/// Writes a JSON string inside a `<script>` element.
///
/// `<`, `>` and `&` are escaped, so that `</script>`, `<!--` and `]]>` cannot occur, and so is all
/// that [`needs_escape`], which a program that reads the file could interpret or normalise.
pub(super) fn json(to: &mut impl Write, text: &str) -> io::Result<()> {
    to.write_all(b"\"")?;
    let mut rest = text;
    while let Some(at) = rest.find(is_special) {
        let (before, special) = rest.split_at(at);
        to.write_all(before.as_bytes())?;
        let mut characters = special.chars();
        if let Some(character) = characters.next() {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(to, "\\u{unit:04x}")?;
            }
        }
        rest = characters.as_str();
    }
    to.write_all(rest.as_bytes())?;
    to.write_all(b"\"")
}

fn is_special(character: char) -> bool {
    matches!(character, '"' | '\\' | '<' | '>' | '&') || needs_escape(character)
}

/// Writes a line of text between tags.
pub(super) fn markup(to: &mut impl Write, text: &str) -> io::Result<()> {
    for character in text.chars() {
        match character {
            '<' => to.write_all(b"&lt;")?,
            '>' => to.write_all(b"&gt;")?,
            '&' => to.write_all(b"&amp;")?,
            character if needs_escape(character) => to.write_all("\u{fffd}".as_bytes())?,
            character => write!(to, "{character}")?,
        }
    }
    Ok(())
}
