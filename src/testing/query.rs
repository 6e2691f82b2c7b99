//! [`Query`]: a message with conditions, and why no record meets them.

use opentelemetry::logs::Severity;

use crate::record::severity_of_level;
use crate::sorted::sort_by_key;
use crate::testing::kept::Contents;
use crate::testing::record::Record;
use crate::testing::table;
use crate::testing::value::{shown, Expected};

/// How many records that come near are shown.
const NEAREST: usize = 3;

/// What [`assert_record!`](crate::assert_record) asks for.
#[derive(Clone, Debug)]
pub struct Query {
    message: String,
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug)]
enum Condition {
    Attribute(String, Expected),
    InSpan(String),
    InJob(String),
    At(Severity),
}

/// Whether a record meets a condition.
enum Verdict {
    Met(String),
    /// The condition, and what the record has.
    Failed(String, String),
}

impl Query {
    /// A record with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), conditions: Vec::new() }
    }

    /// With this attribute.
    #[must_use]
    pub fn attribute(self, key: &str, value: impl Into<Expected>) -> Self {
        self.with(Condition::Attribute(key.to_owned(), value.into()))
    }

    /// With the ids of a span with this name.
    #[must_use]
    pub fn in_span(self, name: impl Into<String>) -> Self {
        self.with(Condition::InSpan(name.into()))
    }

    /// Of this job.
    #[must_use]
    pub fn in_job(self, id: impl Into<String>) -> Self {
        self.with(Condition::InJob(id.into()))
    }

    /// At this level.
    #[must_use]
    pub fn at(self, level: tracing::Level) -> Self {
        self.with(Condition::At(severity_of_level(level)))
    }

    fn with(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }

    /// The first record that meets all conditions, or else the text of the failure.
    pub(crate) fn find(&self, contents: &Contents) -> Result<Record, String> {
        let is_it = |record: &&Record| self.verdicts(record, contents).iter().all(Verdict::is_met);
        match contents.records.iter().find(is_it) {
            Some(record) => Ok(record.clone()),
            None => Err(self.failure(contents)),
        }
    }

    fn failure(&self, contents: &Contents) -> String {
        let mut text = format!("no record {:?}", self.message);
        for (index, condition) in self.conditions.iter().enumerate() {
            text += if index == 0 { " with " } else { ", " };
            text += &condition.to_string();
        }
        text += "\n\n";
        let near = self.nearest(contents);
        if !near.is_empty() {
            text += "nearest:\n";
        }
        for record in &near {
            text += &format!("  {} {:?}\n", record.severity.name(), record.body);
            for verdict in self.verdicts(record, contents) {
                text += &match verdict {
                    Verdict::Met(condition) => format!("    ✓ {condition}\n"),
                    Verdict::Failed(condition, found) => format!("    ✗ {condition}, found {found}\n"),
                };
            }
        }
        if !near.is_empty() {
            text.push('\n');
        }
        text + &table::of(contents)
    }

    /// The records that come nearest: those with the message that meet the most conditions, or else
    /// those whose messages differ the least, unless they have nothing in common.
    fn nearest<'a>(&self, contents: &'a Contents) -> Vec<&'a Record> {
        let has_message = contents.records.iter().any(|record| record.body == self.message);
        let distance = |record: &Record| match has_message {
            true => self.verdicts(record, contents).iter().filter(|verdict| !verdict.is_met()).count(),
            false => edits(&record.body, &self.message),
        };
        let is_near = |record: &&Record| match has_message {
            true => record.body == self.message,
            false => edits(&record.body, &self.message) * 2 < self.message.chars().count().max(2),
        };
        let mut near: Vec<_> = contents.records.iter().filter(is_near).collect();
        sort_by_key(&mut near, |record| distance(record));
        near.truncate(NEAREST);
        near
    }

    /// The message's verdict first, then those of the conditions in their order.
    fn verdicts(&self, record: &Record, contents: &Contents) -> Vec<Verdict> {
        let message = Verdict::of(record.body == self.message, format!("message {:?}", self.message), || {
            format!("{:?}", record.body)
        });
        let others = self.conditions.iter().map(|condition| condition.verdict(record, contents));
        std::iter::once(message).chain(others).collect()
    }
}

impl Verdict {
    fn of(is_met: bool, condition: String, found: impl FnOnce() -> String) -> Self {
        match is_met {
            true => Self::Met(condition),
            false => Self::Failed(condition, found()),
        }
    }

    fn is_met(&self) -> bool {
        matches!(self, Self::Met(_))
    }
}

/// As it is written in the macro.
impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Attribute(key, value) => write!(f, "{key} = {value}"),
            Self::InSpan(name) => write!(f, "in_span({name:?})"),
            Self::InJob(id) => write!(f, "in_job({id:?})"),
            Self::At(severity) => write!(f, "at({})", severity.name()),
        }
    }
}

impl Condition {
    fn verdict(&self, record: &Record, contents: &Contents) -> Verdict {
        let is_met = match self {
            Self::Attribute(key, expected) => {
                record.attribute(key).is_some_and(|value| expected.matches(value))
            }
            Self::InSpan(name) => table::span_of(record, contents).is_some_and(|span| span.name == *name),
            Self::InJob(id) => record.job_id() == Some(id),
            Self::At(severity) => record.severity == *severity,
        };
        Verdict::of(is_met, self.to_string(), || match self {
            Self::Attribute(key, _) => record.attribute(key).map_or("no such attribute".to_owned(), shown),
            Self::InSpan(_) => table::place_of(record, contents),
            Self::InJob(_) => record.job_id().map_or("no job".to_owned(), |id| format!("in_job({id:?})")),
            Self::At(_) => format!("at({})", record.severity.name()),
        })
    }
}

/// How many characters have to be changed, inserted or removed to make one text of the other.
fn edits(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, character) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], index + 1);
        for (place, theirs) in other.iter().enumerate() {
            let substituted = diagonal + usize::from(character != *theirs);
            diagonal = row[place + 1];
            row[place + 1] = substituted.min(diagonal + 1).min(row[place] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::edits;

    #[test]
    fn edits_are_counted() {
        assert_eq!(edits("deployed", "deployed"), 0);
        assert_eq!(edits("deploying", "deployed"), 3);
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("abc", ""), 3);
        assert_eq!(edits("abc", "bc"), 1);
    }
}
