//! See `src/fuzzing/graph.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| spanlog::fuzzing::graph::forms(input));
