//! Messages that are each compressed with zstd and have a length prefix of 4 bytes, big-endian: what
//! a Collector's file exporter writes with `compression: zstd`.

use std::io::Read;

use super::{Frames, MAGIC};
use crate::graph::read::input::Input;
use crate::graph::read::notes::Cause;
use crate::graph::read::store::Store;

const PREFIX: usize = 4;

pub(in crate::graph::read) fn is_framed(ahead: &[u8]) -> bool {
    ahead.get(PREFIX..).is_some_and(|message| message.starts_with(&MAGIC))
}

/// Reads the rest of the input, and each message with `read`. Returns how many messages, spans or
/// records there were. A message that is damaged costs no other.
pub(in crate::graph::read) fn read(
    name: &str,
    input: &mut Input<'_>,
    store: &mut Store,
    read: impl Fn(&str, &mut Input<'_>, &mut Store) -> u64,
) -> u64 {
    let mut found = 0;
    while let Some(length) = input.peek(PREFIX).first_chunk::<PREFIX>().copied() {
        input.consume(PREFIX);
        let begin = input.offset();
        let length = u64::from(u32::from_be_bytes(length));
        let place = format!("{name}: message at byte {begin}");
        let mut message = Input::new(Frames::new(Input::new(Read::take(&mut *input, length))));
        found += read(&place, &mut message, store);
        let failure = message.failure();
        drop(message);
        let is_whole = input.take_pieces((begin + length).saturating_sub(input.offset()), |_| {});
        match failure {
            // A failure of the source is noted by its reader.
            _ if input.has_failed() => return found,
            Some(why) if is_whole => store.notes.add(Cause::Malformed, || format!("{place}: {why}")),
            Some(why) => store.notes.add(Cause::TruncatedMessage, || format!("{place}: {why}")),
            None if is_whole => {}
            None => note_truncation(name, input, store),
        }
    }
    if !input.window().is_empty() {
        input.skip_while(|_| true);
        note_truncation(name, input, store);
    }
    found
}

fn note_truncation(name: &str, input: &Input<'_>, store: &mut Store) {
    let at = input.offset();
    store.notes.add(Cause::TruncatedMessage, || format!("{name}: truncated at byte {at}"));
}
