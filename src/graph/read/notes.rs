//! Notes about sources, limited in number and length.

use std::fmt::Display;

/// How many cases of a cause get a note of their own; the others are counted.
const MAX_PER_CAUSE: usize = 3;

/// The maximum length of a note: some quote what was found in a source.
const MAX_CHARACTERS: usize = 300;

/// What can be wrong with a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    NotOtlp,
    TruncatedMessage,
    Malformed,
    Unusable,
    TruncatedItem,
    OtherSignal,
    Source,
}

impl Cause {
    const ALL: [Self; 7] = [
        Self::NotOtlp,
        Self::TruncatedMessage,
        Self::Malformed,
        Self::Unusable,
        Self::TruncatedItem,
        Self::OtherSignal,
        Self::Source,
    ];

    /// What the cases without a note of their own are called.
    fn plural(self) -> &'static str {
        match self {
            Self::NotOtlp => "lines that are not OTLP",
            Self::TruncatedMessage => "truncated messages",
            Self::Malformed => "malformed messages",
            Self::Unusable => "unusable spans or records",
            Self::TruncatedItem => "truncated spans or records",
            Self::OtherSignal => "messages of other signals",
            Self::Source => "sources with other problems",
        }
    }
}

/// The first cases of each cause, and the number of all.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes {
    causes: [Case; Cause::ALL.len()],
}

#[derive(Clone, Debug, Default)]
struct Case {
    texts: Vec<String>,
    count: u64,
}

impl Notes {
    /// `text` is called only for cases that get a note of their own.
    pub(super) fn add<T: Display>(&mut self, cause: Cause, text: impl FnOnce() -> T) {
        let case = &mut self.causes[cause as usize];
        case.count += 1;
        if case.texts.len() < MAX_PER_CAUSE {
            let mut text = text().to_string();
            if let Some((end, _)) = text.char_indices().nth(MAX_CHARACTERS) {
                text.truncate(end);
                text.push('…');
            }
            case.texts.push(text);
        }
    }

    pub(super) fn texts(&self) -> Vec<String> {
        let mut texts = Vec::new();
        for (cause, case) in Cause::ALL.into_iter().zip(&self.causes) {
            texts.extend_from_slice(&case.texts);
            let more = case.count - case.texts.len() as u64;
            if more > 0 {
                texts.push(format!("and {more} more {}", cause.plural()));
            }
        }
        texts
    }

    /// The first note about the source `name`.
    pub(super) fn first_of(&self, name: &str) -> Option<&str> {
        let texts = self.causes.iter().flat_map(|case| &case.texts);
        texts.map(String::as_str).find(|text| text.starts_with(name))
    }
}
