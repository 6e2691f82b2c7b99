//! See `src/fuzzing.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| spanlog::fuzzing::segment(input));
