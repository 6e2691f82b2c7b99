//! Tests of what is not public: bytes, frames, the hand-off.

mod encoding;
