//! In the place of zstd where it is not built in.

pub(crate) const IS_THERE: bool = false;

/// Never called: who asks for zstd gets an error where the transport is made.
pub(crate) fn compress(plain: &[u8], mut room: Vec<u8>) -> Vec<u8> {
    room.extend_from_slice(plain);
    room
}
