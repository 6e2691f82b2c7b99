//! The behaviour suite on the direct record: the files of `suite`, with the other kind.
#![expect(unreachable_pub, reason = "a test binary exports nothing; `pub` says what the support offers")]
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]

#[path = "../suite/alone.rs"]
mod alone;
#[path = "../suite/correlation.rs"]
mod correlation;
#[path = "../suite/damage.rs"]
mod damage;
#[path = "../suite/interleaving.rs"]
mod interleaving;
#[path = "../suite/jobs.rs"]
mod jobs;
#[path = "../suite/ops.rs"]
mod ops;
#[path = "../suite/record.rs"]
mod record;
#[path = "../suite/support.rs"]
mod support;
#[path = "../suite/trace.rs"]
mod trace;
#[path = "../suite/trace_elsewhere.rs"]
mod trace_elsewhere;
#[path = "../suite/trace_entries.rs"]
mod trace_entries;
#[path = "../suite/trace_fields.rs"]
mod trace_fields;
#[path = "../suite/trace_layers.rs"]
mod trace_layers;
#[path = "../suite/trace_loggers.rs"]
mod trace_loggers;
#[path = "../suite/trace_values.rs"]
mod trace_values;

const KIND: support::Kind = support::Kind::Direct;
