//! Text from programs and job definitions stays text, wherever it is shown.

/// What a terminal or a page would obey, or what nobody would see: controls, ends of lines, what turns the direction
/// of text, what has no width. The joiners of emoji and of Indic and Arabic scripts are none of these.
pub(super) fn needs_escape(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// The text in one line, with nothing in it that is obeyed.
pub(super) fn line(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => safe.push_str(" ⏎ "),
            character if needs_escape(character) => safe.extend(character.escape_default()),
            character => safe.push(character),
        }
    }
    safe
}
