//! The behaviour suite on the direct record: the same list of files as `suite`, with the other
//! kind.
#![expect(unreachable_pub, reason = "a test binary exports nothing; `pub` says what the support offers")]
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]

#[path = "../support/fixture.rs"]
mod fixture;
#[path = "../support/process.rs"]
mod process;
#[path = "../suite/list.rs"]
mod suite;

const KIND: fixture::Kind = fixture::Kind::Direct;
