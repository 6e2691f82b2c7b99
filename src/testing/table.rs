//! The records and spans of a capture as a short table, for the messages of failures.

use std::fmt::Write;

use opentelemetry::logs::AnyValue;
use opentelemetry::trace::Status;

use crate::testing::kept::Contents;
use crate::testing::record::Record;
use crate::testing::span::Span;
use crate::testing::stamps;
use crate::testing::value::shown;

/// How many records and spans are listed, the latest.
const ROWS: usize = 40;

/// How many characters of a message, and of a list of attributes, are shown.
const WIDTH: usize = 100;

/// All records and spans, and what has no capture.
pub(crate) fn of(contents: &Contents) -> String {
    let record = |record: &Record| {
        [
            record.severity.name().to_owned(),
            cut(&format!("{:?}", record.body)),
            with_job(place_of(record, contents), record.job_id()),
            attributes(&record.attributes),
        ]
    };
    let span = |span: &Span| {
        let parent = span.parent_span_id.map(|id| match contents.span(id) {
            Some(parent) => format!("in {:?}", parent.name),
            None => "in a span of another process".to_owned(),
        });
        let status = match &span.status {
            Status::Error { description } => format!("Error {description:?}"),
            Status::Ok => "Ok".to_owned(),
            Status::Unset => "Unset".to_owned(),
        };
        [
            format!("{:?}", span.name),
            with_job(parent.unwrap_or_else(|| "root".to_owned()), span.job_id()),
            if span.end.is_some() { status } else { "has not ended".to_owned() },
            attributes(&span.attributes),
        ]
    };
    let mut text = rows("record", contents.records.iter().map(record).collect());
    text += &rows("span", contents.spans.iter().map(span).collect());
    text + &unattributed(contents)
}

/// What was attributed to no test; empty if there is nothing.
fn unattributed(contents: &Contents) -> String {
    let kinds = [
        (&contents.unattributed, "unattributed (docs/testing.md says why)"),
        (&contents.others, "without a capture, of other tests or of what tests share"),
    ];
    let mut text = String::new();
    for (strays, what) in kinds.into_iter().filter(|(strays, _)| strays.count > 0) {
        let _ = writeln!(text, "{} {what}:", strays.count);
        for stray in &strays.named {
            let _ = writeln!(text, "  {stray}");
        }
        text += &more(strays.count - strays.named.len());
    }
    text
}

/// The span of a record.
pub(crate) fn span_of<'a>(record: &Record, contents: &'a Contents) -> Option<&'a Span> {
    contents.span(record.span_id?)
}

/// The span of a record, as it is written in `assert_record!`.
pub(crate) fn place_of(record: &Record, contents: &Contents) -> String {
    match (record.span_id, span_of(record, contents)) {
        (_, Some(span)) => format!("in_span({:?})", span.name),
        (Some(id), None) => format!("in the unknown span {id}"),
        (None, None) => "outside any span".to_owned(),
    }
}

fn with_job(place: String, job: Option<&str>) -> String {
    match job {
        Some(job) => format!("{place}, in_job({job:?})"),
        None => place,
    }
}

/// The attributes of code: without stamps, and without what tells the place and the thread.
fn attributes(attributes: &[(String, AnyValue)]) -> String {
    let is_own = |key: &str| {
        !stamps::is_stamp(key)
            && !["code.", "thread."].iter().any(|prefix| key.starts_with(prefix))
            && key != "target"
    };
    let own = attributes.iter().filter(|(key, _)| is_own(key));
    cut(&own.map(|(key, value)| format!("{key} = {}", shown(value))).collect::<Vec<_>>().join(", "))
}

/// The rows below a heading, in columns.
fn rows(what: &str, mut cells: Vec<[String; 4]>) -> String {
    let all = cells.len();
    let mut text = match all {
        0 => return format!("no {what}s\n"),
        1 => format!("1 {what}:\n"),
        _ => format!("{all} {what}s:\n"),
    };
    let hidden = all.saturating_sub(ROWS);
    cells.drain(..hidden);
    text += &more(hidden);
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [0, 1, 2].map(width);
    for [first, second, third, last] in &cells {
        let [one, two, three] = widths;
        let row = format!("  {first:one$}  {second:two$}  {third:three$}  {last}");
        let _ = writeln!(text, "{}", row.trim_end());
    }
    text
}

fn more(count: usize) -> String {
    match count {
        0 => String::new(),
        _ => format!("  … and {count} more\n"),
    }
}

/// At most [`WIDTH`] characters.
fn cut(text: &str) -> String {
    match text.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
