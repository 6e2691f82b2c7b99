//! The ladder of `DESIGN` §7, first rungs: what one event costs with nothing, with the registry, with
//! our layer, and with opentelemetry-appender-tracing.
//!
//! ```text
//! cargo bench --bench ladder                  # the targets and the whole ladder, printed
//! cargo bench --bench ladder -- targets       # only the rows that have a target
//! cargo bench --bench ladder -- --write       # everything, into docs/benchmarks.md
//! cargo bench --bench ladder -- --test        # every arm once, asserting
//! ```
//!
//! Each arm is a process of its own, this same binary: a program has one global subscriber, and
//! tracing's caches of who is interested in what are process-wide. The processes of arms that are
//! compared run in turns, a few milliseconds each, and what is compared are ratios of one turn.
//!
//! # Layout
//!
//! `arm.rs` says what is measured, `child.rs` does it (`direct.rs` on the direct road, `loopback.rs`
//! over HTTP, `traces.rs` with `spanlog::trace`), `allocations.rs` counts, `delivery.rs` asks what it takes
//! until a record has arrived in another process (`client.rs` is who sends it), `measure.rs` runs the
//! processes and `report.rs` writes the page.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on stops")]

mod allocations;
mod arm;
mod child;
mod client;
mod delivery;
mod direct;
mod loopback;
mod measure;
mod report;
mod traces;

use std::env;
use std::process::ExitCode;

use self::arm::Arm;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if let Some(at) = arguments.iter().position(|argument| argument == "--arm") {
        let arm = Arm::named(&arguments[at + 1]);
        match arguments.get(at + 2) {
            Some(count) => child::run_once(arm, count.parse().unwrap()),
            None => child::serve(arm),
        }
        return ExitCode::SUCCESS;
    }
    if let Some(at) = arguments.iter().position(|argument| argument == "--sink" || argument == "--client") {
        match arguments[at].as_str() {
            "--sink" => delivery::serve_sink(),
            _ => client::run(&arguments[at + 1..]),
        }
        return ExitCode::SUCCESS;
    }
    // `cargo bench` says `--bench`, `cargo test` says nothing.
    if has("--test") || !has("--bench") {
        let arms = Arm::all();
        for arm in &arms {
            measure::Child::start(*arm).turn(10);
        }
        delivery::check();
        println!("ladder: {} arms made what they should", arms.len());
        return ExitCode::SUCCESS;
    }
    let page = report::page(has("targets"));
    println!("{page}");
    if has("--write") {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/benchmarks.md");
        std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/docs")).unwrap();
        std::fs::write(path, page).unwrap();
    }
    ExitCode::SUCCESS
}
