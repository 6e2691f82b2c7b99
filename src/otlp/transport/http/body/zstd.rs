//! zstd, in pure Rust.

use ruzstd::encoding::{compress as encode, CompressionLevel};

pub(crate) const IS_THERE: bool = true;

/// Writes the compressed form of `plain` to `room`, which is empty.
pub(crate) fn compress(plain: &[u8], mut room: Vec<u8>) -> Vec<u8> {
    encode(plain, &mut room, CompressionLevel::Fastest);
    room
}
