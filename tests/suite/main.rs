//! The behaviour suite: each row of the contract has a test that names it.
#![expect(unreachable_pub, reason = "a test binary exports nothing; `pub` says what the support offers")]
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]

mod correlation;
mod damage;
mod graphs;
mod interleaving;
mod jobs;
mod ops;
mod record;
#[expect(dead_code, reason = "shared with `tests/alone.rs`, which uses what this does not")]
mod support;
