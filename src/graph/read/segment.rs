//! A segment of a spool: the records and spans that a process left when it ended.

use super::input::Input;
use super::notes::Cause;
use super::proto;
use super::store::Store;
use crate::error::Error;
use crate::wire::segment::read::Segment;
use crate::wire::segment::MAGIC;

/// The most bytes of a segment that are read, as it is in memory as a whole.
const MAX_BYTES: u64 = 64 << 20;

pub(super) fn is_segment(ahead: &[u8]) -> bool {
    ahead.starts_with(&MAGIC)
}

/// Reads the input. Returns how many spans and records there were; for an empty segment, one.
pub(super) fn read(name: &str, input: &mut Input<'_>, store: &mut Store) -> Result<u64, Error> {
    let mut bytes = Vec::new();
    let mut left = MAX_BYTES;
    loop {
        let window = input.window();
        let part = window.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if part == 0 {
            break;
        }
        bytes.extend_from_slice(&window[..part]);
        input.consume(part);
        left -= part as u64;
    }
    let segment = Segment::read(&bytes)
        .map_err(|error| Error::unreadable(format!("{name} cannot be read")).with_source(error))?;
    let (request, damaged) = segment.request();
    if damaged > 0 {
        store
            .notes
            .add(Cause::Malformed, || format!("{name}: {damaged} entries are damaged, and were skipped"));
    }
    let found = proto::read(name, false, &mut Input::new(&*request), store);
    if found == 0 {
        store.notes.add(Cause::Source, || format!("{name}: empty"));
    }
    Ok(found.max(1))
}
