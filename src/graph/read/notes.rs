//! Notes about sources, limited in number and length.

/// How many cases of a cause get a note of their own; the others are counted.
const MAX_PER_CAUSE: usize = 3;

/// The maximum length of a note: some quote what was found in a source.
const MAX_CHARACTERS: usize = 300;

/// What can be wrong with a source.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cause {
    NotOtlp,
    TruncatedMessage,
    Malformed,
    Unusable,
    TruncatedItem,
    OtherSignal,
    MissingColumns,
    Source,
}

/// For each [`Cause`], what its cases without a note of their own are called.
const PLURALS: [&str; 8] = [
    "lines that are not OTLP",
    "truncated messages",
    "malformed messages",
    "unusable spans or records",
    "truncated spans or records",
    "messages of other signals",
    "rows with missing columns",
    "sources with other problems",
];

/// The first cases of each cause, and the number of all.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes {
    causes: [Case; PLURALS.len()],
}

#[derive(Clone, Debug, Default)]
struct Case {
    texts: Vec<String>,
    count: u64,
}

impl Notes {
    /// `text` is called only for cases that get a note of their own.
    pub(super) fn add(&mut self, cause: Cause, text: impl FnOnce() -> String) {
        let case = &mut self.causes[cause as usize];
        case.count += 1;
        if case.texts.len() < MAX_PER_CAUSE {
            case.texts.push(limited(text()));
        }
    }

    /// Adds a text that is not there yet.
    pub(super) fn add_once(&mut self, cause: Cause, text: String) {
        let text = limited(text);
        if !self.causes[cause as usize].texts.contains(&text) {
            self.add(cause, || text);
        }
    }

    pub(super) fn texts(&self) -> Vec<String> {
        let mut texts = Vec::new();
        for (case, plural) in self.causes.iter().zip(PLURALS) {
            texts.extend_from_slice(&case.texts);
            let more = case.count - case.texts.len() as u64;
            if more > 0 {
                texts.push(format!("and {more} more {plural}"));
            }
        }
        texts
    }

    /// How many cases of this cause there are.
    pub(super) fn count(&self, cause: Cause) -> u64 {
        self.causes[cause as usize].count
    }

    /// The first note about the source `name`.
    pub(super) fn first_of(&self, name: &str) -> Option<&str> {
        let texts = self.causes.iter().flat_map(|case| &case.texts);
        texts.map(String::as_str).find(|text| text.starts_with(name))
    }
}

/// A text of no more than [`MAX_CHARACTERS`], and `…` if there were more. Of a limited one it is the same.
fn limited(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_CHARACTERS) {
        text.truncate(end);
        text.push('…');
    }
    text
}
