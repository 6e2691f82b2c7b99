//! Attribute values as text: a value that stands alone as it is, one in a list or a map as JSON.

/// The longest text that is kept of one value.
const LONGEST: usize = 1 << 20;

/// The most that is kept of the attributes of one span or record.
const MOST_OF_ONE: usize = 4 << 20;

/// How deep lists and maps are written in each other; what is deeper is `…`.
pub(super) const DEEPEST: usize = 16;

/// A value in the making.
#[derive(Debug, Default)]
pub(super) struct ValueText {
    pub(super) text: String,
    pub(super) is_cut: bool,
}

impl ValueText {
    /// Adds what needs no quotes.
    pub(super) fn plain(&mut self, text: &str) {
        if !self.is_cut {
            self.text.push_str(text);
            self.cut();
        }
    }

    /// Adds a string inside a list or a map.
    pub(super) fn quoted(&mut self, text: &str) {
        // Only a writer that fails or keys that are no strings make an error.
        self.plain(&serde_json::to_string(text).unwrap_or_default());
    }

    /// Cuts what has grown too long.
    pub(super) fn cut(&mut self) {
        if self.text.len() > LONGEST {
            self.text.truncate(self.text.floor_char_boundary(LONGEST));
            self.text.push('…');
            self.is_cut = true;
        }
    }
}

/// The attributes of one span, record or resource.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    pub(super) pairs: Vec<(String, String)>,
    bytes: usize,
    /// Not everything was kept.
    pub(super) is_cut: bool,
}

impl Attributes {
    pub(super) fn push(&mut self, key: String, value: ValueText) {
        self.is_cut |= value.is_cut;
        let bytes = size_of::<(String, String)>() + key.len() + value.text.len();
        if self.bytes + bytes > MOST_OF_ONE {
            self.is_cut = true;
        } else {
            self.bytes += bytes;
            self.pairs.push((key, value.text));
        }
    }

    /// The last of that name, as everywhere.
    pub(super) fn find(&self, key: &str) -> Option<&str> {
        let found = self.pairs.iter().rfind(|(name, _)| name == key);
        found.map(|(_, value)| value.as_str())
    }
}
