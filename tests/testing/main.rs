//! The test kit: which test a record belongs to, and what the macros say when they fail.
//!
//! Every test of this binary that logs captures, and what would be unattributed for the others runs
//! in a process of its own.
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]

mod checks;
mod commands;
mod document;
mod kit;
mod lineage;
mod many;
#[path = "../support/process.rs"]
mod process;
mod processes;
mod queries;
mod threads;

use std::panic::{catch_unwind, AssertUnwindSafe};

use spanlog::testing::Capture;

/// The message with which `check` panics.
#[track_caller]
fn failure(check: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(check)).expect_err("the check passes");
    panic.downcast_ref::<String>().expect("a message").clone()
}

/// The messages of all records, in order.
fn messages(capture: &Capture) -> Vec<String> {
    capture.records().into_iter().map(|record| record.body).collect()
}
