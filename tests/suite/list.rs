//! Every file of the behaviour suite. Both kinds of record run this list, each in its own binary.

mod alone;
mod contexts;
mod correlation;
mod damage;
#[cfg(feature = "graph")]
mod graphs;
mod interleaving;
mod jobs;
mod ops;
mod record;
mod span_events;
mod tasks;
mod trace;
mod trace_elsewhere;
mod trace_entries;
mod trace_fields;
mod trace_layers;
mod trace_loggers;
mod trace_values;
