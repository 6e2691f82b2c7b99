//! zstd, in pure Rust.

use ruzstd::encoding::{compress as encode, CompressionLevel};

pub(crate) const IS_AVAILABLE: bool = true;

/// Writes the compressed form of `plain` to `out`, which is empty.
pub(crate) fn compress(plain: &[u8], mut out: Vec<u8>) -> Vec<u8> {
    encode(plain, &mut out, CompressionLevel::Fastest);
    out
}
