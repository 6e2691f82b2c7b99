//! Text that stays text where it is put.

use std::io::{self, Write};

/// A JSON string inside a `<script>` element.
///
/// Neither `</script>` nor `<!--` nor `]]>` can come about, because `<`, `>` and `&` are escaped; and
/// nothing that a reader of the file would obey or normalise, because controls and U+2028/2029 are.
pub(super) fn json(to: &mut impl Write, text: &str) -> io::Result<()> {
    to.write_all(b"\"")?;
    let mut rest = text;
    while let Some(at) = rest.find(is_special) {
        let (before, special) = rest.split_at(at);
        to.write_all(before.as_bytes())?;
        let mut characters = special.chars();
        if let Some(character) = characters.next() {
            // All of them lie below U+10000: one escape each.
            write!(to, "\\u{:04x}", u32::from(character))?;
        }
        rest = characters.as_str();
    }
    to.write_all(rest.as_bytes())?;
    to.write_all(b"\"")
}

fn is_special(character: char) -> bool {
    matches!(character, '"' | '\\' | '<' | '>' | '&') || is_invisible(character)
}

/// Controls, and what ends a line or turns the direction of text.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// One line of text between tags.
pub(super) fn markup(to: &mut impl Write, text: &str) -> io::Result<()> {
    for character in text.chars() {
        match character {
            '<' => to.write_all(b"&lt;")?,
            '>' => to.write_all(b"&gt;")?,
            '&' => to.write_all(b"&amp;")?,
            character if is_invisible(character) => to.write_all("\u{fffd}".as_bytes())?,
            character => write!(to, "{character}")?,
        }
    }
    Ok(())
}
