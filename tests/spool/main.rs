//! The spool: what a process leaves when it is killed, and who sends it.
#![expect(unreachable_pub, reason = "a test binary exports nothing; `pub` says what the support offers")]
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]
#![cfg(unix)]

mod disk;
#[path = "../support/http.rs"]
mod http;
#[cfg(feature = "install")]
mod installed;
mod killed;
#[cfg(target_os = "linux")]
mod outage;
#[path = "../support/otlp.rs"]
mod otlp;
#[path = "../support/port.rs"]
mod port;
#[path = "../support/process.rs"]
mod process;
#[path = "../support/random.rs"]
mod random;
#[path = "../support/spans.rs"]
mod spans;
#[path = "../support/table.rs"]
mod table;
