//! A check-up of what `install` makes of the `OTEL_*` variables. It exits with 1 if something is wrong.
//!
//! ```text
//! OTEL_SERVICE_NAME=runner OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318 cargo run --example doctor
//! ```

use std::process::ExitCode;

fn main() -> ExitCode {
    let guard = match spanlog::builder().with_console(false).install() {
        Ok(guard) => guard,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let checkup = guard.check();
    println!("{checkup}");
    if checkup.is_healthy() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
