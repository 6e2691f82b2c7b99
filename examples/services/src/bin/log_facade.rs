//! Code that logs through the `log` crate only, under `install`: a library, or a program that has
//! not moved to `tracing`.
//!
//! ```console
//! cargo run --bin log_facade
//! ```

use spanlog::{job, JobMetadata};

fn main() -> Result<(), spanlog::Error> {
    let _guard = spanlog::builder().with_service_name("import").install()?;

    job::execution(JobMetadata::new("nightly", "2026-11-29"), "import").run(|| {
        legacy::import("orders.csv");
        Ok(())
    })
}

/// It depends on the `log` crate alone.
mod legacy {
    pub fn import(file: &str) {
        log::info!(file, rows = 120; "imported");
        log::warn!("{file}: 3 rows without a customer");
    }
}
