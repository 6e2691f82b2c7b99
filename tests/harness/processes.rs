//! Tests that run in a process of their own, and random numbers.

use std::time::Duration;

use crate::assert_fails;
use crate::process::{is_part, part, run, run_with_stdin, run_within};
use crate::random::Random;

const HELPER: &str = "processes::helper_that_does_as_it_is_told";

#[test]
fn helper_that_does_as_it_is_told() {
    match part().as_deref() {
        Some("abort") => std::process::abort(),
        Some("panic") => panic!("as it was told"),
        Some("hang") => std::thread::sleep(Duration::from_secs(600)),
        Some("read") => assert_eq!(std::io::read_to_string(std::io::stdin()).unwrap(), "read this"),
        _ => {}
    }
}

#[test]
fn a_process_must_end_well_and_run_a_test() {
    assert!(!is_part("say"));
    run(HELPER, "say", &[]);
    run_with_stdin(HELPER, "read", &[], b"read this");
    assert_fails("read: exit status", || drop(run_with_stdin(HELPER, "read", &[], b"another")));
    assert_fails("abort: signal", || drop(run(HELPER, "abort", &[])));
    assert_fails("panic: exit status", || drop(run(HELPER, "panic", &[])));
    assert_fails("no such test", || drop(run("processes::no_such_test", "say", &[])));
    let soon = Duration::from_millis(300);
    assert_fails("hang hangs", || drop(run_within(soon, HELPER, "hang", &[], b"")));
}

#[test]
fn a_seed_gives_the_same_numbers_again() {
    let numbers = |seed| {
        let mut random = Random::new(seed);
        [random.next(), random.next(), random.next()]
    };
    assert_eq!(numbers(5), numbers(5));
    assert_ne!(numbers(5), numbers(7));
    assert_ne!(numbers(0), [0, 0, 0]);
}
