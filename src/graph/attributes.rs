//! Attributes as pairs of texts, in their original order.

use std::mem::size_of_val;

use opentelemetry::KeyValue;

use super::value::ValueText;

pub(super) fn attributes_of_sdk(attributes: &[KeyValue]) -> Vec<(String, String)> {
    attributes.iter().map(|pair| (pair.key.to_string(), ValueText::from(&pair.value).text)).collect()
}

/// Of several values the last one counts.
pub(super) fn last_value<'a>(attributes: &'a [(String, String)], key: &str) -> Option<&'a str> {
    let found = attributes.iter().rfind(|(name, _)| name == key);
    found.map(|(_, value)| value.as_str())
}

/// The bytes of keys and values.
pub(super) fn attribute_bytes(attributes: &[(String, String)]) -> usize {
    attributes.iter().map(|(key, value)| key.len() + value.len()).sum()
}

/// The memory in use by attributes.
pub(super) fn bytes_of(attributes: &[(String, String)]) -> usize {
    size_of_val(attributes) + attribute_bytes(attributes)
}
