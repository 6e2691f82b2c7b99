//! Tests of what the tests stand on (`tests/support`): each check must fail where it should.
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]

#[path = "support/program.rs"]
mod program;

#[path = "harness/programs.rs"]
mod programs;
