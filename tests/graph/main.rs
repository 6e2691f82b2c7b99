//! Graphs that are read back: the forms of OTLP, the rules of the tree, damage, and what is drawn.
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]

mod damage;
mod drawing;
mod forms;
mod limits;
mod live_and_read;
mod mermaid;
mod rules;
mod fixture;
#[path = "../support/spans.rs"]
mod spans;
