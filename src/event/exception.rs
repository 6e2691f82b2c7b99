//! What can be told of an error: its causes and its type.

use std::error::Error;
use std::fmt;
use std::fmt::Write;

/// One `Caused by:` line for each source of an error.
pub(crate) struct Causes<'a>(pub(crate) &'a (dyn Error + 'static));

/// An error that is its own source would be followed for ever.
const MAX_CAUSES: usize = 128;

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources =
            std::iter::successors(self.0.source(), |error: &&(dyn Error + 'static)| (*error).source());
        for (index, source) in sources.take(MAX_CAUSES).enumerate() {
            if index > 0 {
                f.write_char('\n')?;
            }
            write!(f, "Caused by: {source}")?;
        }
        Ok(())
    }
}

/// The type path that an error's `Debug` begins with; nothing where it does not begin with one.
pub(crate) struct ErrorType<T>(pub(crate) T);

impl<T: fmt::Debug> fmt::Display for ErrorType<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut path = TypePathReader::default();
        // It stops the formatting by an error as soon as it has seen enough.
        let _ = write!(path, "{:?}", self.0);
        f.write_str(path.get().unwrap_or_default())
    }
}

/// Reads `path::To::Type` up to what may follow a type in a derived `Debug`: nothing, `(`, or ` {`.
#[derive(Default)]
struct TypePathReader {
    text: String,
    stop: Option<Stop>,
}

enum Stop {
    Space,
    TypePath,
    Other,
}

/// Longer than any type path that a person wrote.
const MAX_TYPE_PATH_BYTES: usize = 256;

impl Write for TypePathReader {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        for character in more.chars() {
            self.stop = match (&self.stop, character) {
                (None, 'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | ':')
                    if self.text.len() < MAX_TYPE_PATH_BYTES =>
                {
                    self.text.push(character);
                    continue;
                }
                (None, ' ') => Some(Stop::Space),
                (None, '(') | (Some(Stop::Space), '{') => Some(Stop::TypePath),
                _ => Some(Stop::Other),
            };
            if !matches!(self.stop, Some(Stop::Space)) {
                return Err(fmt::Error);
            }
        }
        Ok(())
    }
}

impl TypePathReader {
    /// A word that a sentence begins with is no type; a unit struct's `Debug` is one word in camel case.
    fn get(&self) -> Option<&str> {
        let name = self.text.rsplit("::").next()?;
        let is_type = !matches!(self.stop, Some(Stop::Space | Stop::Other));
        (is_type && name.starts_with(|first: char| first.is_ascii_uppercase())).then_some(&self.text)
    }
}
