//! Tests that run again in their own process, for what is process-wide: the global subscriber,
//! environment variables, and what ends the process.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "test binaries use parts of this")]

use std::any::type_name;
use std::env;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

const PART: &str = "SPANLOG_TEST_PART";

/// The part of its test that this process was started for, or `None` in the process that starts
/// the others.
pub fn part() -> Option<String> {
    env::var(PART).ok()
}

/// Runs `work` with the name of its part in a process that was started for it. In the test's first
/// process, returns what starts others.
///
/// `work` has to be a closure written in the test function itself: the name of its type gives that
/// of the test.
pub fn isolated<F: FnOnce(&str)>(work: F) -> Option<Isolated> {
    match part() {
        Some(part) => {
            work(&part);
            None
        }
        None => Some(Isolated::of::<F>()),
    }
}

/// A test that can be run again in its own process.
#[derive(Clone, Debug)]
pub struct Isolated {
    pub test: String,
    pub part: String,
    pub stdin: Vec<u8>,
    /// Longer than any part that does not hang.
    pub limit: Duration,
}

/// What a successful process wrote.
pub struct Written {
    pub stdout: String,
    pub stderr: String,
}

impl Isolated {
    /// The test in which the closure type `F` is written.
    pub fn of<F>() -> Self {
        let (_, path) = type_name::<F>().split_once("::").unwrap();
        let test = path.trim_end_matches("::{{closure}}").to_owned();
        Self { test, part: String::new(), stdin: Vec::new(), limit: Duration::from_secs(120) }
    }

    pub fn part(&self, part: &str) -> Self {
        Self { part: part.to_owned(), ..self.clone() }
    }

    /// Runs it with these variables, and none of the machine's that configure telemetry. The
    /// process must succeed within the limit, and run one test: a name that matches none would
    /// succeed as well.
    pub fn run(&self, variables: &[(&str, &str)]) -> Written {
        let what = format!("{} as {}", self.test, self.part);
        let (status, written) = ended(&mut self.command(variables), &self.stdin, self.limit);
        let Some(status) = status else { panic!("{what} hangs:\n{}\n{}", written.stdout, written.stderr) };
        assert!(status.success(), "{what}: {status}\n{}\n{}", written.stdout, written.stderr);
        assert!(written.stdout.contains("1 passed"), "{what}: no such test\n{}", written.stdout);
        written
    }
}

impl Isolated {
    fn command(&self, variables: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args([&self.test, "--exact", "--nocapture", "--test-threads=1"]);
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            let is_proxy = name.to_ascii_lowercase().ends_with("_proxy");
            if name.starts_with("OTEL_") || name == "RUST_LOG" || is_proxy {
                command.env_remove(name);
            }
        }
        command.env(PART, &self.part).env("RUST_BACKTRACE", "0").envs(variables.iter().copied());
        command
    }

    /// Starts it with a pipe as its input, and returns when it has printed `ready`, which must be within the limit.
    /// What it prints then is read from the lines, which must live as long as it prints.
    pub fn start_until_ready(&self, variables: &[(&str, &str)]) -> (Child, Lines<BufReader<ChildStdout>>) {
        let part = if self.part.is_empty() { "child" } else { &self.part };
        let mut command = self.part(part).command(variables);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (done, is_done) = mpsc::channel();
        let (limit, begun) = (self.limit, Instant::now());
        let reading = thread::spawn(move || {
            let is_ready = lines.by_ref().map_while(Result::ok).any(|line| line.contains("ready"));
            let _ = done.send(());
            (is_ready, lines)
        });
        let is_late = is_done.recv_timeout(limit).is_err();
        if is_late {
            // Its lines end, so that the thread does.
            let _ = child.kill();
        }
        let (is_ready, lines) = reading.join().unwrap();
        if !is_ready || is_late {
            let _ = child.kill();
            let status = child.wait().unwrap();
            panic!("{} as {part} is not ready after {:?}: {status}", self.test, begun.elapsed());
        }
        (child, lines)
    }
}

/// Runs it to its end. It is killed if that does not come within the limit, and has no status then.
pub fn ended(command: &mut Command, stdin: &[u8], limit: Duration) -> (Option<ExitStatus>, Written) {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may end without having read everything.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    let (stdout, stderr) = (reading(child.stdout.take().unwrap()), reading(child.stderr.take().unwrap()));
    let status = ended_within(&mut child, limit);
    if status.is_none() {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    (status, Written { stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() })
}

/// How it ended, unless it has not within the limit.
pub fn ended_within(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if begun.elapsed() > limit {
            return None;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

fn reading(mut stream: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// A path for a directory of one test. Neither it nor its parent exists yet.
pub fn directory(name: &str) -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    env::temp_dir().join(format!("spanlog-{name}-{}-{number}", std::process::id())).join("deeper")
}
