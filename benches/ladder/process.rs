//! This binary, run again as another process.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::str::FromStr;
use std::{env, thread};

/// A child process that reads and writes lines. It exits when its input is closed.
pub(crate) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Process {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        // The machine's own settings are not part of what is measured.
        for (variable, _) in env::vars_os() {
            if variable.to_string_lossy().starts_with("OTEL_") {
                command.env_remove(variable);
            }
        }
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, output }
    }

    pub(crate) fn write(&mut self, number: u64) {
        // A process that has failed is noticed when its answer is read.
        let _ = writeln!(self.input.as_mut().unwrap(), "{number}");
    }

    pub(crate) fn close_input(&mut self) {
        self.input = None;
    }

    /// The words of the next line.
    pub(crate) fn read<T: FromStr, const N: usize>(&mut self) -> [T; N] {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let words: Vec<T> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        words.try_into().unwrap_or_else(|_| panic!("the process has failed, see above: {line:?}"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.close_input();
        let status = self.child.wait();
        if !thread::panicking() {
            assert!(status.unwrap().success(), "the process has failed, see above");
        }
    }
}
