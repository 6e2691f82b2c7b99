//! Playing a part of a test in a process of its own.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PART: &str = "SPANLOG_TEST_PART";

/// Whether this process was started to play `name`.
pub(crate) fn part(name: &str) -> bool {
    env::var(PART).is_ok_and(|part| part == name)
}

pub(crate) struct Played {
    pub stdout: String,
    pub stderr: String,
}

/// Runs `test` of this binary again, as `part` and with only these variables of telemetry.
pub(crate) fn play(test: &str, part: &str, variables: &[(&str, &str)]) -> Played {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]);
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let is_proxy = name.to_ascii_lowercase().ends_with("_proxy");
        if name.starts_with("OTEL_") || name == "RUST_LOG" || is_proxy {
            command.env_remove(name);
        }
    }
    command.env(PART, part).envs(variables.iter().copied());
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let id = child.id();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    let output = receiver
        .recv_timeout(Duration::from_secs(60))
        .unwrap_or_else(|_| panic!("{test} as {part} hangs, process {id}"))
        .unwrap();
    let played = Played {
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    assert!(output.status.success(), "{test} as {part}:\n{}\n{}", played.stdout, played.stderr);
    assert!(played.stdout.contains("1 passed"), "{test} is not the name of a test");
    played
}

/// A directory of this test's own, which does not exist yet.
pub(crate) fn directory(name: &str) -> PathBuf {
    let unique = Instant::now().elapsed().as_nanos();
    env::temp_dir().join(format!("spanlog-{name}-{}-{unique}", std::process::id())).join("deeper")
}
