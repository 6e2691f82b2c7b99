//! OTLP as JSON: one message per line, or messages over many lines. Rows of tables, too.
//!
//! A message is read span by span and record by record, so its size does not matter, and everything
//! before the place where it is damaged is kept.

mod event;
mod id;
mod item;
mod message;
mod request;
mod row;
mod scalars;
mod time;
mod values;

use std::io::BufReader;

use serde::de::DeserializeSeed;

use self::message::{starts_message, End, Message, MAX_DEPTH, MAX_TOKEN_BYTES};
use self::request::Request;
use self::row::Row;
use super::input::Input;
use super::notes::Cause;
use super::store::Store;
use crate::json_stream::Fill;

/// The size of serde_json's buffer. Small, because there is one for each message.
const BUFFER: usize = 8 * 1024;

/// Reads the rest of the input. Returns how many messages were OTLP, or rows.
pub(super) fn read(name: &str, input: &mut Input<'_>, store: &mut Store) -> u64 {
    let mut messages = 0;
    let mut line = 1;
    // Whether the end of the last message was not found, so that what follows may still be part of
    // it.
    let mut is_resyncing = false;
    loop {
        line += skip_whitespace(input);
        let ahead = input.peek(message::LOOK_AHEAD);
        let Some(first) = ahead.first() else { return messages };
        if *first == b'{' && (!is_resyncing || starts_message(ahead)) {
            let (is_otlp, message_lines, is_whole) = one_message(name, line, input, store);
            messages += u64::from(is_otlp);
            line += message_lines;
            is_resyncing = !is_whole;
        } else {
            if !is_resyncing {
                store.notes.add(Cause::NotOtlp, || format!("{name}:{line}: not a JSON object"));
            }
            input.skip_while(|byte| byte != b'\n');
        }
    }
}

/// Returns whether the message was OTLP, how many line breaks it had, and whether its end was
/// found.
fn one_message(name: &str, line: u64, input: &mut Input<'_>, store: &mut Store) -> (bool, u64, bool) {
    let before = store.mark();
    let mut message = Message::new(input);
    let mut request = Request { store, place: format!("{name}:{line}"), is_otlp: false, row: Row::default() };
    let reader = BufReader::with_capacity(BUFFER, &mut message);
    let read = Fill(&mut request).deserialize(&mut serde_json::Deserializer::from_reader(reader));
    let is_otlp = request.is_otlp;
    let lines_read = message.lines();
    let end = message.finish();
    let lines = message.lines();
    let kept = store.since(before);
    match (read, end) {
        (Ok(()), _) if is_otlp => {}
        (Ok(()), _) => store.notes.add(Cause::NotOtlp, || {
            format!("{name}:{line}: a JSON object without resourceSpans, resourceLogs, SpanName or Body")
        }),
        (Err(_), End::Truncated) => store.notes.add(Cause::TruncatedMessage, || {
            format!("{name}:{line}: the message is truncated; {} read from it", spans_and_records(kept))
        }),
        (Err(error), end) => {
            let (at, what) = match end {
                End::TooLong => (lines, format!("a string of more than {} MiB", MAX_TOKEN_BYTES >> 20)),
                End::TooDeep => (lines, format!("nested deeper than {MAX_DEPTH} levels")),
                // serde_json counts lines from the start of the message, in its text too.
                _ => {
                    let at = (error.line() as u64).saturating_sub(1).min(lines_read);
                    let text = error.to_string();
                    (at, text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what).to_owned())
                }
            };
            store.notes.add(Cause::Malformed, || {
                format!("{name}:{}: {what}; the rest of the message was skipped", line + at)
            });
        }
    }
    (is_otlp, lines, matches!(end, End::Complete | End::Truncated))
}

fn spans_and_records(count: u64) -> String {
    match count {
        1 => "1 span or record was".to_owned(),
        count => format!("{count} spans and records were"),
    }
}

/// Returns how many line breaks were skipped.
fn skip_whitespace(input: &mut Input<'_>) -> u64 {
    let mut lines = 0;
    input.skip_while(|byte| {
        lines += u64::from(byte == b'\n');
        byte.is_ascii_whitespace()
    });
    lines
}
