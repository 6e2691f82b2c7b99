//! Merging inherited attributes with the event's own, where a key could appear twice or the count
//! limit could be exceeded.

use opentelemetry::logs::AnyValue;
use opentelemetry::Key;

use crate::limits::Limits;
use crate::record::inherited::InheritedAttributes;
use crate::record::Record;
use crate::stats::Counters;
use crate::value::Value;

/// An attribute that is not yet written to a record.
pub(crate) type Attribute = (Key, AnyValue);

/// Attributes collected before they are written. Keys are unique: the last value wins, and takes
/// the last place.
#[derive(Debug, Default)]
pub(crate) struct MergedAttributes(pub(crate) Vec<Attribute>);

impl MergedAttributes {
    pub(crate) fn put(&mut self, key: Key, value: AnyValue) {
        self.0.retain(|(known, _)| *known != key);
        self.0.push((key, value));
    }
}

/// Writes inherited attributes, except those that the event overrides, and then the event's own.
/// Beyond the count limit it drops inherited fields, the outermost first, then the event's last
/// attributes. Stamps stay.
pub(crate) fn write_merged<R: Record>(
    record: &mut R,
    inherited: &InheritedAttributes,
    own: MergedAttributes,
    limits: Limits,
    counters: &Counters,
) {
    let overridden = |key: &Key| own.0.iter().any(|(known, _)| known == key);
    let (stamps, fields) = inherited.attributes.split_at(inherited.stamps);
    let stamps: Vec<_> = stamps.iter().filter(|(key, _)| !overridden(key)).collect();
    let fields: Vec<_> = fields.iter().filter(|(key, _)| !overridden(key)).collect();

    let capacity = limits.attribute_count().saturating_sub(stamps.len());
    let kept_own = own.0.len().min(capacity);
    let kept_fields = fields.len().min(capacity - kept_own);
    let dropped = own.0.len() - kept_own + fields.len() - kept_fields;

    for (key, value) in stamps.into_iter().chain(fields[fields.len() - kept_fields..].iter().copied()) {
        record.add_attribute(key.clone(), Value::Any(value));
    }
    for (key, value) in &own.0[..kept_own] {
        record.add_attribute(key.clone(), Value::Any(value));
    }
    if dropped > 0 {
        counters.dropped_attributes(dropped as u64);
        record.set_dropped_attributes(u32::try_from(dropped).unwrap_or(u32::MAX));
    }
}
