//! Which fields of the enclosing spans a record inherits.

use wildmatch::WildMatch;

/// Which fields of the enclosing spans a record inherits. Default: all.
///
/// Patterns match whole field names. `*` matches any number of characters, `?` exactly one.
///
/// ```
/// use spanlog::SpanFields;
///
/// let fields = SpanFields::all().exclude("secret.*");
/// assert!(fields.matches("user") && !fields.matches("secret.token"));
///
/// let fields = SpanFields::none().include("http.*");
/// assert!(fields.matches("http.route") && !fields.matches("user"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct SpanFields {
    /// `None`: every field.
    include: Option<Vec<WildMatch>>,
    exclude: Vec<WildMatch>,
}

impl SpanFields {
    /// Every field.
    pub fn all() -> Self {
        Self::default()
    }

    /// No field, unless included.
    pub fn none() -> Self {
        Self { include: Some(Vec::new()), exclude: Vec::new() }
    }

    /// Includes the fields whose names match `pattern`. The first call on [`all`](Self::all)
    /// excludes all others.
    #[must_use]
    pub fn include(mut self, pattern: &str) -> Self {
        self.include.get_or_insert_default().push(WildMatch::new(pattern));
        self
    }

    /// Excludes the fields whose names match `pattern`, even if they are included.
    #[must_use]
    pub fn exclude(mut self, pattern: &str) -> Self {
        self.exclude.push(WildMatch::new(pattern));
        self
    }

    /// Whether a field with this name is inherited.
    pub fn matches(&self, name: &str) -> bool {
        let any = |patterns: &[WildMatch]| patterns.iter().any(|pattern| pattern.matches(name));
        self.include.as_deref().is_none_or(any) && !any(&self.exclude)
    }
}
