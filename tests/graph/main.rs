//! Graphs that are read back: formats of OTLP, rules of the tree, damage, and drawing.
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]

mod damage;
mod drawing;
mod events;
mod forms;
mod limits;
mod labels;
mod live_and_read;
mod markdown;
mod mermaid;
mod rows;
mod rules;
mod zstd;
mod foreign;
mod fixture;
#[cfg(all(feature = "tokio", feature = "json-lines"))]
mod trial;
#[path = "../support/spans.rs"]
mod spans;
