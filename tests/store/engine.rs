//! The engine behind `front.py`, in a process that the test starts and ends.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::folder;
use crate::pip;
use crate::port::Reserved;
use crate::program::{self, Running};

pub struct Engine {
    running: Running,
    port: Reserved,
}

impl Engine {
    /// Starts one whose data is in a folder of that name, which is removed with it, and whose time zone is `zone`.
    pub fn start(name: &str, zone: &str) -> Option<Self> {
        let python = program::find_with("chdb", pip::chdb)?;
        let folder = folder(name);
        let port = Reserved::new();
        let front = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/store/front.py");
        let mut command = Command::new(python);
        command.arg(front).arg(&folder).arg(port.address.port().to_string()).env("TZ", zone);
        let running = Running::start(&mut command, folder, &[port.address]);
        Some(Self { running, port })
    }

    pub fn address(&self) -> SocketAddr {
        self.port.address
    }

    /// What a statement answers, by default as tab-separated lines.
    pub fn ask(&self, statement: &str) -> String {
        let mut stream = TcpStream::connect(self.port.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let head = format!("POST / HTTP/1.0\r\nContent-Length: {}\r\n\r\n", statement.len());
        stream.write_all((head + statement).as_bytes()).unwrap();
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        read.unwrap_or_else(|error| panic!("{error}: {statement}\n{}", self.running.written()));
        let (head, body) =
            answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{}", self.running.written()));
        assert!(head.starts_with("HTTP/1.0 200 "), "{statement}\n{body}");
        body.to_owned()
    }

    /// The cells of each row of an answer.
    pub fn rows(&self, statement: &str) -> Vec<Vec<String>> {
        let answer = self.ask(statement);
        answer.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
    }

    /// An answer that is one number.
    pub fn number(&self, statement: &str) -> u64 {
        let answer = self.ask(statement);
        answer.trim().parse().unwrap_or_else(|_| panic!("{statement}\n{answer}"))
    }

    pub fn count(&self, table: &str) -> u64 {
        self.number(&format!("SELECT count() FROM {table}"))
    }
}
