//! Tests that are skipped if a program is missing.

use std::path::PathBuf;
use std::process::Command;

use crate::program::{find, names, Policy};

fn policy(required: &str, skipped: &str) -> Policy {
    Policy { required: names(required), skipped: names(skipped) }
}

fn missing() -> Result<PathBuf, String> {
    Err("it is not installed".to_owned())
}

fn there() -> Result<PathBuf, String> {
    Ok("/bin/tmux".into())
}

#[test]
fn a_program_is_used_where_it_is_there_and_not_to_be_skipped() {
    assert_eq!(policy("tmux", "").path("tmux", there), there());
    assert_eq!(policy("", "nginx").path("tmux", there), there());
    assert_eq!(policy("nginx", "").path("tmux", missing), missing());
    assert!(policy("nginx", "tmux").path("tmux", there).is_err());
}

#[test]
#[should_panic(expected = "SPANLOG_REQUIRE names tmux, but it is not installed")]
fn a_required_program_that_is_missing_fails() {
    let _ = policy("nginx, tmux", "").path("tmux", missing);
}

#[test]
#[should_panic(expected = "SPANLOG_REQUIRE names tmux, but SPANLOG_SKIP names it")]
fn a_required_program_that_is_to_be_skipped_fails() {
    let _ = policy("tmux", "tmux").path("tmux", there);
}

#[test]
#[should_panic(expected = "no test needs \"tmxu\"")]
fn a_misspelt_program_fails() {
    names("nginx,tmxu");
}

/// What the next test runs.
#[test]
fn helper_that_needs_tmux() {
    let _ = find("tmux");
}

/// Guarantees: although the harness captures output, a skip is shown; and a required one fails.
#[test]
fn a_skip_is_shown_and_a_required_one_fails() {
    let run = |require: &str| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["programs::helper_that_needs_tmux", "--exact"]);
        command.env("SPANLOG_SKIP", "tmux").env("SPANLOG_REQUIRE", require);
        let output = command.output().unwrap();
        (
            output.status.success(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (passed, stdout, stderr) = run("");
    assert!(passed && stdout.contains("1 passed"), "{stdout}");
    assert!(stderr.contains("*** SKIPPED: programs::helper_that_needs_tmux, which needs tmux: "), "{stderr}");
    let (passed, stdout, _) = run("tmux");
    assert!(!passed && stdout.contains("SPANLOG_REQUIRE names tmux"), "{stdout}");
}
