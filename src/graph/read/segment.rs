//! A segment of a spool: the records and spans that a process left when it ended.

use super::input::Input;
use super::notes::Cause;
use super::proto;
use super::store::Store;
use crate::error::Error;
use crate::wire::put::put_bytes;
use crate::wire::segment::read::{Entry, Segment};
use crate::wire::segment::MAGIC;

/// The most bytes of a segment that are read, as it is in memory as a whole.
const MAX_BYTES: u64 = 64 << 20;

pub(super) fn is_segment(ahead: &[u8]) -> bool {
    ahead.starts_with(&MAGIC)
}

/// Reads the input. Returns how many spans and records there were; for an empty segment, one.
pub(super) fn read(name: &str, input: &mut Input<'_>, store: &mut Store) -> Result<u64, Error> {
    let mut bytes = Vec::new();
    input.take_pieces(MAX_BYTES, |piece| bytes.extend_from_slice(piece));
    let segment = Segment::read(&bytes)
        .map_err(|error| Error::unreadable(format!("{name} cannot be read")).with_source(error))?;
    let (request, damaged) = request(&segment);
    if damaged > 0 {
        store
            .notes
            .add(Cause::Malformed, || format!("{name}: {damaged} entries are damaged, and were skipped"));
    }
    store.are_live = true;
    let found = proto::read(name, false, &mut Input::new(&*request), store);
    store.are_live = false;
    if found == 0 {
        store.notes.add(Cause::Source, || format!("{name}: empty"));
    }
    Ok(found.max(1))
}

/// All records, done or not, as the request that they would be sent in, and the number of damaged
/// entries.
fn request(segment: &Segment<'_>) -> (Vec<u8>, u64) {
    let mut message = Vec::new();
    put_bytes(&mut message, 1, segment.resource);
    let (mut scope, mut damaged) = (Vec::new(), 0);
    let mut end = |scope: &mut Vec<u8>| {
        if !scope.is_empty() {
            put_bytes(&mut message, 2, scope);
        }
        scope.clear();
    };
    for entry in segment.entries() {
        match entry {
            Entry::Run { scope: key, .. } => {
                end(&mut scope);
                match segment.signal {
                    // The key is the scope's name.
                    0 => {
                        let mut name = Vec::new();
                        put_bytes(&mut name, 1, key);
                        put_bytes(&mut scope, 1, &name);
                    }
                    // It is the fields of the message.
                    _ => scope.extend_from_slice(key),
                }
            }
            Entry::Record { framed, .. } => scope.extend_from_slice(framed),
            Entry::Damaged { is_run } => {
                damaged += 1;
                if is_run {
                    end(&mut scope);
                }
            }
        }
    }
    end(&mut scope);
    let mut request = Vec::new();
    put_bytes(&mut request, 1, &message);
    (request, damaged)
}
