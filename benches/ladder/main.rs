//! The ablation ladder: what one event costs without a subscriber, with the registry alone, with
//! our layers on the SDK path and on the direct path, and with opentelemetry-appender-tracing.
//!
//! ```text
//! cargo bench --bench ladder                  # the targets and the whole ladder, printed
//! cargo bench --bench ladder -- targets       # only the rows that have a target
//! cargo bench --bench ladder -- --write       # everything, into docs/benchmarks.md
//! cargo bench --bench ladder -- --test        # every arm once, asserting
//! ```
//!
//! Each arm is a separate process, this same binary: a program has one global subscriber, and
//! tracing caches the interest in each callsite per process. The processes of arms that are
//! compared run alternately, a few milliseconds each, and ratios are taken between turns of one
//! round.
//!
//! # Layout
//!
//! Imports run down this list.
//!
//! | file | what it does |
//! | --- | --- |
//! | `report.rs` | writes the page, with every text in it |
//! | `delivery.rs` | measures delivery to another process, whose client is `client.rs` |
//! | `measure.rs` | runs the processes of arms, and collects time, allocations and instructions |
//! | `process.rs` | starts this binary as another process |
//! | `child.rs` | is the process of one arm: sets it up, checks it, runs its turns |
//! | `direct.rs`, `loopback.rs` | receive the records of arms on the direct path, and over HTTP |
//! | `allocations.rs` | counts allocations |
//! | `work.rs` | is what is measured: an event, an op, a span, inside a job and spans |
//! | `arm.rs` | lists the arms |
//! | `traces.rs` | is what is measured of `spanlog::trace` |
#![expect(clippy::unwrap_used, reason = "a bench that fails should stop")]

mod allocations;
mod arm;
mod child;
mod client;
mod delivery;
mod direct;
mod loopback;
mod measure;
mod process;
mod report;
mod traces;
mod work;

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
    // `cargo bench` passes `--bench`, `cargo test` passes nothing.
    if has("--test") || !has("--bench") {
        let arms = Arm::all();
        for arm in &arms {
            measure::turn(&mut measure::start(*arm), 10);
        }
        delivery::check();
        println!("ladder: {} arms passed their checks", arms.len());
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
