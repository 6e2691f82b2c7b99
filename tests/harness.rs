//! Tests of `tests/support`: each check must fail where it should.
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]

#[path = "support/fixture.rs"]
mod fixture;
#[path = "harness/fixtures.rs"]
mod fixtures;
#[path = "support/http.rs"]
mod http;
#[path = "support/otlp.rs"]
mod otlp;
#[path = "support/port.rs"]
mod port;
#[path = "support/process.rs"]
mod process;
#[path = "harness/processes.rs"]
mod processes;
#[path = "support/program.rs"]
mod program;
#[path = "harness/programs.rs"]
mod programs;
#[path = "support/random.rs"]
mod random;
#[path = "harness/receivers.rs"]
mod receivers;

use std::panic::{catch_unwind, AssertUnwindSafe};

const KIND: fixture::Kind = fixture::Kind::Sdk;

/// Asserts that a check panics with a message that contains this.
#[track_caller]
fn assert_fails(message: &str, check: impl FnOnce()) {
    let panic = catch_unwind(AssertUnwindSafe(check)).expect_err("the check passes");
    let said = panic.downcast_ref::<String>().map(String::as_str);
    let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap();
    assert!(said.contains(message), "{message:?} is not in {said:?}");
}

#[test]
fn a_check_that_passes_does_not_fail() {
    assert!(catch_unwind(|| assert_fails("", || ())).is_err());
    assert!(catch_unwind(|| assert_fails("expected", || panic!("another"))).is_err());
}
