//! A test that runs itself again in a process of its own, where what is the process's is its own:
//! the global subscriber, environment variables, and an end that takes the process with it.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "test binaries use parts of this")]

use std::env;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const PART: &str = "SPANLOG_TEST_PART";

/// Longer than any part takes that does not hang.
const LONGEST: Duration = Duration::from_secs(120);

/// What this process was started to do, or `None` in the process that starts the others.
pub fn part() -> Option<String> {
    env::var(PART).ok()
}

/// Whether this process was started to do `name`.
pub fn is_part(name: &str) -> bool {
    part().is_some_and(|part| part == name)
}

/// What a process wrote that ended well.
pub struct Written {
    pub stdout: String,
    pub stderr: String,
}

/// Runs `test` of this binary again, as `part` and with only these variables of telemetry. It must
/// end well, in time and with one test run: a name that matches none would pass as well.
pub fn run(test: &str, part: &str, variables: &[(&str, &str)]) -> Written {
    run_within(LONGEST, test, part, variables, b"")
}

/// The same with something to read on standard input.
pub fn run_with_stdin(test: &str, part: &str, variables: &[(&str, &str)], stdin: &[u8]) -> Written {
    run_within(LONGEST, test, part, variables, stdin)
}

/// The same with another time after which it hangs.
pub fn run_within(
    longest: Duration,
    test: &str,
    part: &str,
    variables: &[(&str, &str)],
    stdin: &[u8],
) -> Written {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]);
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let is_proxy = name.to_ascii_lowercase().ends_with("_proxy");
        if name.starts_with("OTEL_") || name == "RUST_LOG" || is_proxy {
            command.env_remove(name);
        }
    }
    command.env(PART, part).env("RUST_BACKTRACE", "0").envs(variables.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let what = format!("{test} as {part}");
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(stdin).unwrap();
    let (stdout, stderr) = (reading(child.stdout.take().unwrap()), reading(child.stderr.take().unwrap()));
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        if begun.elapsed() > longest {
            child.kill().unwrap();
            child.wait().unwrap();
            break None;
        }
        thread::sleep(Duration::from_millis(2));
    };
    let written = Written { stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() };
    let Some(status) = status else { panic!("{what} hangs:\n{}\n{}", written.stdout, written.stderr) };
    assert!(status.success(), "{what}: {status}\n{}\n{}", written.stdout, written.stderr);
    assert!(written.stdout.contains("1 passed"), "{what}: no such test\n{}", written.stdout);
    written
}

fn reading(mut stream: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// A directory that belongs to one caller. Neither it nor its parent is there yet.
pub fn directory(name: &str) -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    env::temp_dir().join(format!("spanlog-{name}-{}-{number}", std::process::id())).join("deeper")
}
