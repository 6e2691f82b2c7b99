//! What can be told of an error: its causes and its type.

use std::error::Error;
use std::fmt;
use std::fmt::Write;

/// One `Caused by:` line for each source of an error.
pub(crate) struct Causes<'a>(pub(crate) &'a (dyn Error + 'static));

/// An error that is its own source would be followed for ever.
const MOST_CAUSES: usize = 128;

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources =
            std::iter::successors(self.0.source(), |error: &&(dyn Error + 'static)| (*error).source());
        for (index, source) in sources.take(MOST_CAUSES).enumerate() {
            if index > 0 {
                f.write_char('\n')?;
            }
            write!(f, "Caused by: {source}")?;
        }
        Ok(())
    }
}

/// The type path that an error's `Debug` begins with; nothing where it does not begin with one.
pub(crate) struct TypeOf<T>(pub(crate) T);

impl<T: fmt::Debug> fmt::Display for TypeOf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut path = TypePath::default();
        // It stops the formatting by an error as soon as it has seen enough.
        let _ = write!(path, "{:?}", self.0);
        f.write_str(path.get().unwrap_or_default())
    }
}

/// Reads `path::To::Type` up to what may follow a type in a derived `Debug`: nothing, `(`, or ` {`.
#[derive(Default)]
struct TypePath {
    text: String,
    end: Option<End>,
}

enum End {
    Space,
    Type,
    Prose,
}

/// Longer than any type path that a person wrote.
const LONGEST_TYPE_PATH: usize = 256;

impl Write for TypePath {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        for character in more.chars() {
            self.end = match (&self.end, character) {
                (None, 'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | ':')
                    if self.text.len() < LONGEST_TYPE_PATH =>
                {
                    self.text.push(character);
                    continue;
                }
                (None, ' ') => Some(End::Space),
                (None, '(') | (Some(End::Space), '{') => Some(End::Type),
                _ => Some(End::Prose),
            };
            if !matches!(self.end, Some(End::Space)) {
                return Err(fmt::Error);
            }
        }
        Ok(())
    }
}

impl TypePath {
    /// A word that a sentence begins with is no type; a unit struct's `Debug` is one word in camel case.
    fn get(&self) -> Option<&str> {
        let name = self.text.rsplit("::").next()?;
        let is_type = !matches!(self.end, Some(End::Space | End::Prose));
        (is_type && name.starts_with(|first: char| first.is_ascii_uppercase())).then_some(&self.text)
    }
}
