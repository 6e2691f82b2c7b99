//! The direct road from its public door: a subscriber, a pipeline, and a receiver on the loopback interface.
#![expect(unreachable_pub, reason = "a test binary exports nothing; `pub` says what the support offers")]
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]

mod alone;
mod away;
mod faults;
mod fields;
mod kinds;
#[cfg(feature = "metrics")]
mod metrics;
#[path = "../support/program.rs"]
mod program;
mod proxies;
mod runtimes;
mod settings;
mod sink;
mod sizes;
#[path = "../install/stage.rs"]
mod stage;
