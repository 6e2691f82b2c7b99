//! The direct path through the public API: a subscriber, a pipeline, and a receiver on the loopback
//! interface.
#![expect(unreachable_pub, reason = "a test binary exports nothing; `pub` says what the support offers")]
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]

mod alone;
mod away;
mod faults;
#[cfg(unix)]
mod forked;
mod fields;
#[cfg(feature = "grpc")]
#[path = "../support/grpc.rs"]
mod grpc;
#[path = "../support/http.rs"]
mod http;
mod kinds;
#[cfg(feature = "metrics")]
mod metrics;
#[path = "../support/otlp.rs"]
mod otlp;
#[path = "../support/port.rs"]
mod port;
#[path = "../support/process.rs"]
mod process;
#[path = "../support/program.rs"]
mod program;
mod proxies;
#[path = "../support/random.rs"]
mod random;
mod receipts;
mod runtimes;
#[path = "../support/seen.rs"]
mod seen;
mod settings;
mod sizes;
#[cfg(target_os = "linux")]
mod soak;
#[path = "../support/spans.rs"]
mod spans;
#[cfg(target_os = "linux")]
#[path = "../support/table.rs"]
mod table;
