//! What a record inherits, ready to be copied into it.

use opentelemetry::logs::AnyValue;
use opentelemetry::Key;

use crate::job_scope::JobVersion;

/// What a block was made from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) job: JobVersion,
    pub(crate) span: (u64, u64),
}

/// The attributes that every record of one span and job starts with. Each key once.
#[derive(Debug)]
pub struct InheritedAttributes {
    pub(crate) version: Version,
    pub(crate) attributes: Vec<(Key, AnyValue)>,
    /// How many of them are stamps, which limits leave alone: the first ones.
    pub(crate) stamps: usize,
    /// The attributes as the layer's kind of record wants them.
    pub(crate) encoded: Box<[u8]>,
    /// The keys that the layer writes last, behind the event's own.
    pub(crate) extra_keys: &'static [&'static str],
    /// Tells sets of keys apart, the extra ones included.
    pub(crate) key_set: u64,
}

/// FNV-1a over the keys in order: enough to tell the few key sets of one program apart.
pub(crate) fn key_set<'a>(keys: impl Iterator<Item = &'a str>) -> u64 {
    keys.flat_map(|key| key.bytes().chain([0xff])).fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
