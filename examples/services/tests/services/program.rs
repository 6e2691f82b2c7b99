//! The examples as processes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

use crate::receiver::Receiver;

/// Runs a program to its end, which must be a success.
pub fn run(binary: &str, arguments: &[&str], receiver: &Receiver) {
    let output = command(binary, receiver).args(arguments).output().expect("it starts");
    assert!(output.status.success(), "{binary}: {output:?}");
}

/// A program that prints its URL, and serves until it is interrupted.
pub struct Server {
    pub url: String,
    child: Child,
}

impl Server {
    /// Starts it on a free port of the loopback interface.
    pub fn start(binary: &str, receiver: &Receiver) -> Self {
        let mut command = command(binary, receiver);
        let mut child = command.arg("127.0.0.1:0").stdout(Stdio::piped()).spawn().expect("it starts");
        let mut url = String::new();
        let stdout = child.stdout.as_mut().expect("a pipe");
        BufReader::new(stdout).read_line(&mut url).expect("its URL");
        Self { url: url.trim().to_owned(), child }
    }

    /// Interrupts it, as Ctrl-C does. It must end as a success, with everything delivered.
    pub fn stop(mut self) {
        let id = self.child.id().to_string();
        while !handles_interrupts(&id) {
            thread::sleep(Duration::from_millis(5));
        }
        let interrupted = Command::new("sh").args(["-c", &format!("kill -INT {id}")]).status();
        assert!(interrupted.expect("a shell").success());
        assert!(self.child.wait().expect("it ends").success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill(); // where the test fails
        let _ = self.child.wait();
    }
}

/// Whether SIGINT would end it as Ctrl-C is to: the handler is set by a task. Where this cannot be
/// known, yes.
fn handles_interrupts(id: &str) -> bool {
    const SIGINT: u64 = 1 << 1;
    let Ok(status) = fs::read_to_string(format!("/proc/{id}/status")) else { return true };
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or_default();
    u64::from_str_radix(caught.trim(), 16).is_ok_and(|caught| caught & SIGINT != 0)
}

fn command(binary: &str, receiver: &Receiver) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in env::vars_os() {
        let is_proxy = name.to_ascii_lowercase().to_string_lossy().ends_with("_proxy");
        if is_proxy || name.to_string_lossy().starts_with("OTEL_") || name == "RUST_LOG" {
            command.env_remove(name);
        }
    }
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.url);
    command
}

/// The whole answer to a GET request.
pub fn get(url: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let host = url.trim_start_matches("http://");
    let mut request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut connection = TcpStream::connect(host).expect("it listens");
    connection.write_all(format!("{request}\r\n").as_bytes()).expect("written");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("an answer");
    answer
}
