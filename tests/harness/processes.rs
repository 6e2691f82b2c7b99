//! Tests that run in their own process, and random numbers.

use std::time::Duration;

use crate::assert_fails;
use crate::process::{isolated, Isolated};
use crate::random::Random;

#[test]
fn a_process_must_end_well_and_run_a_test() {
    let child = isolated(|part| match part {
        "abort" => std::process::abort(),
        "panic" => panic!("on purpose"),
        "hang" => std::thread::sleep(Duration::from_secs(600)),
        "read" => assert_eq!(std::io::read_to_string(std::io::stdin()).unwrap(), "read this"),
        _ => {}
    });
    let Some(child) = child else { return };
    child.run(&[]);
    let reads = |stdin: &[u8]| drop(Isolated { stdin: stdin.to_vec(), ..child.part("read") }.run(&[]));
    reads(b"read this");
    assert_fails("read: exit status", || reads(b"another"));
    assert_fails("abort: signal", || drop(child.part("abort").run(&[])));
    assert_fails("panic: exit status", || drop(child.part("panic").run(&[])));
    let missing = Isolated { test: "processes::no_such_test".to_owned(), ..child.clone() };
    assert_fails("no such test", || drop(missing.run(&[])));
    let impatient = Isolated { limit: Duration::from_millis(300), ..child.part("hang") };
    assert_fails("hang hangs", || drop(impatient.run(&[])));
    assert_fails("as hang is not ready", || drop(impatient.start_until_ready(&[])));
    assert_fails("as abort is not ready", || drop(child.part("abort").start_until_ready(&[])));
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
