//! The attributes that a record inherits from its job, op and spans, ready to be copied into it.

use opentelemetry::logs::AnyValue;
use opentelemetry::Key;

use crate::job_scope::JobVersion;

/// The state of job and spans that inherited attributes were built from. Another version makes them
/// outdated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) job: JobVersion,
    /// See [`SpanState::version`](crate::correlate::span_state::SpanState::version).
    pub(crate) span: (u64, u64),
}

/// The attributes that every record of one span and job starts with. Keys are unique.
#[derive(Debug)]
pub struct InheritedAttributes {
    pub(crate) version: Version,
    /// The id of the job's account; 0 if there is none.
    pub(crate) job: u64,
    pub(crate) attributes: Vec<(Key, AnyValue)>,
    /// How many of them, from the start, are stamps of the job and op, which are never dropped.
    pub(crate) stamps: usize,
    /// How many values are truncated to the value length limit.
    pub(crate) truncated: usize,
    /// Events with fewer fields may append them: the count limit cannot be exceeded, and no
    /// truncated value has to be counted.
    pub(crate) append_below: usize,
    /// The attributes encoded for the layer's kind of record; empty if it does not use that.
    pub(crate) encoded: Box<[u8]>,
    /// The keys of the attributes that the layer adds after the event's own.
    pub(crate) extra_keys: &'static [&'static str],
    /// A hash of all the keys, the extra ones included, under which a callsite caches its decision.
    pub(crate) key_set: u64,
}

/// FNV-1a over the keys in order. A program has few key sets, so 64 bits tell them apart.
pub(crate) fn key_set<'a>(keys: impl Iterator<Item = &'a str>) -> u64 {
    keys.flat_map(|key| key.bytes().chain([0xff])).fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
