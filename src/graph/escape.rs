//! Makes text from programs and job definitions safe to show.

/// Whether a terminal or a browser would interpret the character, or show nothing for it: control
/// characters, line ends, direction overrides, characters of no width. The joiners of emoji and of
/// Indic and Arabic scripts do not count.
pub(super) fn needs_escape(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// The text on one line, with everything escaped that needs it.
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
