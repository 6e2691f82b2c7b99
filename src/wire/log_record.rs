//! The field numbers of the protobuf message `opentelemetry.proto.logs.v1.LogRecord`.

use crate::wire::scalar::EncodedKey;

/// The field numbers, by name.
pub(crate) mod field {
    pub(crate) const TIME: u8 = 1;
    pub(crate) const SEVERITY_NUMBER: u8 = 2;
    pub(crate) const SEVERITY_TEXT: u8 = 3;
    pub(crate) const BODY: u8 = 5;
    pub(crate) const ATTRIBUTES: u8 = 6;
    pub(crate) const DROPPED_ATTRIBUTES: u8 = 7;
    pub(crate) const FLAGS: u8 = 8;
    pub(crate) const TRACE_ID: u8 = 9;
    pub(crate) const SPAN_ID: u8 = 10;
    pub(crate) const OBSERVED_TIME: u8 = 11;
    pub(crate) const EVENT_NAME: u8 = 12;
}

/// The encoded key of a callsite's field.
pub(crate) fn attribute_key(name: &str) -> EncodedKey {
    EncodedKey::new(field::ATTRIBUTES, name)
}
