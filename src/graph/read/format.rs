//! Detects the format of a source from its first bytes, and reads it.

use flate2::read::MultiGzDecoder;

use super::input::Input;
use super::notes::Cause;
use super::store::Store;
use super::{json, proto, segment, zstd};
use crate::error::Error;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// Enough to detect the format.
const PEEK_BYTES: usize = 256;

/// The same input, or what is compressed in it.
pub(super) fn decompress(mut input: Input<'_>) -> Input<'_> {
    let ahead = input.peek(4);
    if ahead.starts_with(&GZIP) {
        Input::new(MultiGzDecoder::new(input))
    } else if zstd::is_frame(ahead) {
        Input::new(zstd::Frames::new(input))
    } else {
        input
    }
}

/// Reads an input that is not compressed as a whole. Returns the number of OTLP messages, spans or
/// records found.
pub(super) fn read(name: &str, input: &mut Input<'_>, store: &mut Store) -> Result<u64, Error> {
    if input.peek(BYTE_ORDER_MARK.len()).starts_with(&BYTE_ORDER_MARK) {
        input.consume(BYTE_ORDER_MARK.len());
    }
    let ahead = input.peek(PEEK_BYTES);
    if ahead.is_empty() {
        if input.has_failed() {
            return Ok(0);
        }
        store.notes.add(Cause::Source, || format!("{name}: empty: no message and no row"));
        // Not an error: an exporter creates its file before it has anything to write.
        return Ok(1);
    }
    if segment::is_segment(ahead) {
        return segment::read(name, input, store);
    }
    if zstd::messages::is_framed(ahead) {
        return Ok(zstd::messages::read(name, input, store, message));
    }
    Ok(match !is_json(ahead) && proto::is_framed(ahead) {
        true => proto::read(name, true, input, store),
        false => message(name, input, store),
    })
}

/// Reads JSON, or a protobuf message.
fn message(name: &str, input: &mut Input<'_>, store: &mut Store) -> u64 {
    let ahead = input.peek(PEEK_BYTES);
    match !is_json(ahead) && proto::is_bare(ahead) {
        true => proto::read(name, false, input, store),
        false => json::read(name, input, store),
    }
}

/// Whether a JSON object starts here. Protobuf can also start with a line break and then a length
/// that is a brace, but in OTLP no field that starts with a quote would follow.
fn is_json(ahead: &[u8]) -> bool {
    let inside = ahead.trim_ascii_start().strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
    inside.is_some_and(|inside| inside.is_empty() || inside.starts_with(b"\"") || inside.starts_with(b"}"))
}
