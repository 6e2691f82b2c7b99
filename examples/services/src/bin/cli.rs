//! A synchronous command line program: one execution of a job, a step, a tool call. No tokio.
//!
//! ```console
//! cargo run --bin cli -- COMMIT
//! ```

use std::io;
use std::process::{Command, ExitCode};

use spanlog::{job, op, JobMetadata};
use tracing::info;

fn main() -> Result<ExitCode, spanlog::Error> {
    let commit = std::env::args().nth(1).unwrap_or_else(|| "main".to_owned());
    let guard = spanlog::builder().with_service_name("release").install()?;

    let metadata = JobMetadata::new(commit, std::process::id().to_string());
    let result = job::execution(metadata, "release").run(|| job::step("check").run(|| version("cargo")));

    drop(guard); // delivers what is pending
    Ok(if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn version(program: &str) -> io::Result<()> {
    op::run(program, "version", [], || {
        let output = Command::new(program).arg("--version").output()?;
        info!(version = %String::from_utf8_lossy(&output.stdout).trim(), "found");
        Ok(())
    })
}
