//! The behaviour suite: each row of the contract has a test that names it. Here on the SDK's record; the
//! binary `suite_direct` runs the same on the direct one.
#![expect(unreachable_pub, reason = "a test binary exports nothing; `pub` says what the support offers")]
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]

mod alone;
mod correlation;
mod damage;
#[cfg(feature = "graph")]
mod graphs;
mod interleaving;
mod jobs;
mod ops;
mod record;
mod support;
mod trace;
mod trace_elsewhere;
mod trace_entries;
mod trace_fields;
mod trace_layers;
mod trace_loggers;
mod trace_values;

const KIND: support::Kind = support::Kind::Sdk;
