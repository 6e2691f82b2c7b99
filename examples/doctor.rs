//! A check-up of what `install` makes of the `OTEL_*` variables and `RUST_LOG`, for events of a target. It
//! exits with 1 if something is wrong.
//!
//! ```text
//! OTEL_SERVICE_NAME=runner OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318 cargo run --example doctor -- runner
//! ```

use std::process::ExitCode;

use spanlog::doctor::Doctor;

fn main() -> ExitCode {
    let guard = match spanlog::builder().with_console(false).install() {
        Ok(guard) => guard,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let doctor = std::env::args().nth(1).map_or_else(Doctor::new, |target| Doctor::new().with_target(target));
    let checkup = guard.check_with(&doctor);
    println!("{checkup}");
    if checkup.is_healthy() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
