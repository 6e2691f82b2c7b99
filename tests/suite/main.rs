//! The behaviour suite on the SDK's record: each row of the contract has a test that names it.
#![expect(unreachable_pub, reason = "a test binary exports nothing; `pub` says what the support offers")]
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]

#[path = "../support/fixture.rs"]
mod fixture;
#[path = "../support/process.rs"]
mod process;
#[path = "list.rs"]
mod suite;

const KIND: fixture::Kind = fixture::Kind::Sdk;
