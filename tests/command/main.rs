//! `op::Command`: a child's lines, its end and its environment. Real tools throughout.
//!
//! A separate test binary, because it counts allocations.
#![cfg(all(unix, feature = "tokio"))]
#![expect(unsafe_code, reason = "an allocator cannot be wrapped without")]
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]

mod burst;
#[path = "../support/counting.rs"]
mod counting;
mod ends;
#[path = "../support/fixture.rs"]
mod fixture;
mod lines;
#[path = "../support/process.rs"]
mod process;
mod runtimes;
mod span;
mod support;
mod environment;

const KIND: fixture::Kind = fixture::Kind::Sdk;
