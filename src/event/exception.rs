//! The causes of an error, and its type, as text; and the event that a span has for it.

use std::error::Error;
use std::fmt;
use std::fmt::Write;

use opentelemetry::trace::SpanRef;
use opentelemetry::KeyValue;
use opentelemetry_semantic_conventions::attribute as semconv;

/// Adds an `exception` event. What is `None` or empty is left out. See the conventions for
/// [exceptions on spans].
///
/// [exceptions on spans]: https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-spans/
pub(crate) fn add_event(
    span: &SpanRef<'_>,
    exception_type: Option<String>,
    message: String,
    stacktrace: String,
) {
    let mut attributes = Vec::with_capacity(3);
    attributes.extend(exception_type.map(|own| KeyValue::new(semconv::EXCEPTION_TYPE, own)));
    attributes.push(KeyValue::new(semconv::EXCEPTION_MESSAGE, message));
    if !stacktrace.is_empty() {
        attributes.push(KeyValue::new(semconv::EXCEPTION_STACKTRACE, stacktrace));
    }
    span.add_event("exception", attributes);
}

/// Displays one `Caused by:` line for each source of an error, of which it gets the first.
pub(crate) struct Causes<'a>(pub(crate) Option<&'a (dyn Error + 'static)>);

/// Stops at a cycle: an error may be its own source.
const MAX_CAUSES: usize = 128;

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources = std::iter::successors(self.0, |error: &&(dyn Error + 'static)| (*error).source());
        for (index, source) in sources.take(MAX_CAUSES).enumerate() {
            if index > 0 {
                f.write_char('\n')?;
            }
            write!(f, "Caused by: {source}")?;
        }
        Ok(())
    }
}

/// Displays the type path that the `Debug` output of an error begins with, or nothing if it does
/// not begin with one.
pub(crate) struct ErrorType<T>(pub(crate) T);

impl<T: fmt::Debug> fmt::Display for ErrorType<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut path = TypePathReader::default();
        // The reader returns an error to stop the formatting once it has seen enough.
        let _ = write!(path, "{:?}", self.0);
        f.write_str(path.get().unwrap_or_default())
    }
}

/// Reads `path::To::Type`, up to what follows a type in a derived `Debug`: nothing, `(`, or ` {`.
#[derive(Default)]
struct TypePathReader {
    text: String,
    /// What followed the path. `None`: nothing so far.
    stop: Option<Stop>,
}

/// What ended the path.
enum Stop {
    /// A space, so far.
    Space,
    /// `(` or ` {`: the path is a type.
    TypePath,
    /// Anything else: it is not a type, or too long.
    Other,
}

/// Longer than any type path that a person would write.
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

/// What the `Debug` of a `std::io::Error` begins with: variants of a private type. And `Error`, as
/// which anyhow shows an error with context: a type, but one that does not say which.
const NO_TYPES: [&str; 4] = ["Custom", "Error", "Kind", "Os"];

impl TypePathReader {
    /// The type path. The first word of a sentence is not one; the `Debug` of a unit struct is a
    /// single word in camel case.
    fn get(&self) -> Option<&str> {
        let name = self.text.rsplit("::").next()?;
        let is_type = !matches!(self.stop, Some(Stop::Space | Stop::Other))
            && name.starts_with(|first: char| first.is_ascii_uppercase())
            && !NO_TYPES.contains(&self.text.as_str());
        is_type.then_some(&self.text)
    }
}
