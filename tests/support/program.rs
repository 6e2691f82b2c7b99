//! Programs that some tests need and that may not be installed.
//!
//! A test whose program is missing is skipped, and says so on a line that the test harness does not
//! capture. Two variables hold names of programs, separated by commas: a test whose program is in
//! `SPANLOG_REQUIRE` fails where it would be skipped, and a program in `SPANLOG_SKIP` is not used
//! even if it is installed.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "test binaries use parts of this")]

use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Each program, with the names that its binary may have.
const PROGRAMS: [(&str, &[&str]); 8] = [
    ("axe-core", &[]),
    ("chdb", &[]),
    ("chromium", &["chromium", "chromium-browser", "google-chrome"]),
    ("haproxy", &["haproxy"]),
    ("nginx", &["nginx"]),
    ("otelcol", &["otelcol"]),
    ("rotel", &["rotel"]),
    ("tmux", &["tmux"]),
];

/// The values of the two variables.
#[derive(Debug, Default)]
pub struct Policy {
    pub required: Vec<String>,
    pub skipped: Vec<String>,
}

impl Policy {
    pub fn from_env() -> Self {
        let list = |variable| names(&env::var(variable).unwrap_or_default());
        Self { required: list("SPANLOG_REQUIRE"), skipped: list("SPANLOG_SKIP") }
    }

    /// The program's path if it may be used, as found by `search`, or why not.
    ///
    /// # Panics
    ///
    /// If it is required and would not be used.
    pub fn path(
        &self,
        program: &str,
        search: impl FnOnce() -> Result<PathBuf, String>,
    ) -> Result<PathBuf, String> {
        let is_in = |names: &[String]| names.iter().any(|name| name == program);
        let found = if is_in(&self.skipped) { Err("SPANLOG_SKIP names it".to_owned()) } else { search() };
        if let Err(why) = &found {
            assert!(!is_in(&self.required), "SPANLOG_REQUIRE names {program}, but {why}");
        }
        found
    }
}

/// The path of a program that is on `PATH`, or `None` after printing what is skipped.
pub fn find(program: &str) -> Option<PathBuf> {
    find_with(program, || on_path(program).ok_or_else(|| "it is not installed".to_owned()))
}

/// The same for a program that is not on `PATH`.
pub fn find_with(program: &str, search: impl FnOnce() -> Result<PathBuf, String>) -> Option<PathBuf> {
    let found = Policy::from_env().path(program, search);
    if let Err(why) = &found {
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("a test");
        // Not `eprintln!`: the harness captures that, and drops it if the test passes.
        let _ = writeln!(std::io::stderr(), "*** SKIPPED: {test}, which needs {program}: {why} ***");
    }
    found.ok()
}

/// The OpenTelemetry Collector: what `SPANLOG_OTELCOL` names, or else `otelcol` on `PATH`.
pub fn collector() -> Option<PathBuf> {
    let named = env::var_os("SPANLOG_OTELCOL").filter(|path| !path.is_empty()).map(PathBuf::from);
    let why = "it is not on PATH and SPANLOG_OTELCOL does not name its binary";
    find_with("otelcol", || named.or_else(|| on_path("otelcol")).ok_or_else(|| why.to_owned()))
}

/// The names in a list. Panics on an unknown name: a misspelt one would require nothing.
pub fn names(list: &str) -> Vec<String> {
    let names: Vec<_> =
        list.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
    for name in &names {
        assert!(PROGRAMS.iter().any(|(known, _)| known == name), "no test needs {name:?}: {PROGRAMS:?}");
    }
    names
}

fn on_path(program: &str) -> Option<PathBuf> {
    let (_, binaries) = PROGRAMS.iter().find(|(name, _)| *name == program)?;
    let path = env::var_os("PATH")?;
    let folders: Vec<_> = env::split_paths(&path).collect();
    let mut files = binaries.iter().flat_map(|binary| folders.iter().map(move |folder| folder.join(binary)));
    files.find(|file| file.is_file())
}

/// A program that is killed when this is dropped.
pub struct Running {
    child: Child,
    folder: PathBuf,
}

impl Running {
    /// Starts it in `folder`, which is removed with it unless a test fails, and waits until it
    /// listens.
    pub fn start(command: &mut Command, folder: PathBuf, at: &[SocketAddr]) -> Self {
        let output = File::create(folder.join("output")).unwrap();
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let running = Self { child: command.current_dir(&folder).spawn().unwrap(), folder };
        for address in at {
            running.wait("listening", || TcpStream::connect(address).is_ok());
        }
        running
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, by name.
    pub fn signal(&self, name: &str) {
        let id = self.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Asks it to end, and waits until it has.
    pub fn terminate(&self) {
        self.signal("TERM");
        let id = self.id();
        let is_gone = || match fs::read_to_string(format!("/proc/{id}/stat")) {
            // A zombie has ended.
            Ok(stat) => stat.rsplit(") ").next().is_some_and(|state| state.starts_with('Z')),
            Err(_) => true,
        };
        self.wait("gone", is_gone);
    }

    /// What it has written so far.
    pub fn written(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.join("output")).unwrap()).into_owned()
    }

    pub fn wait(&self, what: &str, is_so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < Duration::from_secs(30), "it is not {what}:\n{}", self.written());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !thread::panicking() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}
