//! Programs that tests install from PyPI, by name, into the target directory.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "test binaries use parts of this")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// One installation at a time: tests of a binary run in parallel.
static INSTALLING: Mutex<()> = Mutex::new(());

/// The path of rotel, a Collector.
pub fn rotel() -> Result<PathBuf, String> {
    let home = installed("rotel", "0.0.1a15", &["--pre"])?;
    Ok(site_packages(&home)?.join("rotel/rotel-agent"))
}

/// The path of a Python that can import `chdb`, a ClickHouse engine.
pub fn chdb() -> Result<PathBuf, String> {
    // Without its dependencies: those are for data frames, and as large as the engine.
    let home = installed("chdb-core", "26.9.0", &["--no-deps"])?;
    Ok(home.join("bin/python"))
}

/// Installs a version of a package into an environment of its own, unless it is there, and returns its directory.
/// That has the version in its name: another one is installed beside it.
fn installed(package: &str, version: &str, options: &[&str]) -> Result<PathBuf, String> {
    let _installing = INSTALLING.lock();
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{package}-{version}"));
    // Written last: an installation that was interrupted has none.
    let is_complete = home.join("complete");
    if !is_complete.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
        let quiet = ["install", "--quiet", "--disable-pip-version-check"];
        run(Command::new(home.join("bin/pip"))
            .args(quiet)
            .args(options)
            .arg(format!("{package}=={version}")))?;
        fs::write(&is_complete, "").map_err(|error| error.to_string())?;
    }
    Ok(home)
}

fn site_packages(home: &Path) -> Result<PathBuf, String> {
    let folders = fs::read_dir(home.join("lib")).map_err(|error| error.to_string())?;
    let mut found = folders.flatten().map(|python| python.path().join("site-packages"));
    found.find(|path| path.exists()).ok_or_else(|| format!("{} has no packages", home.display()))
}

/// Runs a command to its end. The error has its output.
fn run(command: &mut Command) -> Result<(), String> {
    let shown = format!("{command:?}");
    let output = command.output().map_err(|error| format!("{shown}: {error}"))?;
    let written = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("{shown} failed: {written}"))
    }
}
