//! Ids of traces and spans.

use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use opentelemetry::{SpanId, TraceId};

use super::scalars::Text;

pub(super) fn trace_id(text: &Text) -> Option<TraceId> {
    id(text, 16).map(TraceId::from)
}

pub(super) fn span_id(text: &Text) -> Option<SpanId> {
    id(text, 8).map(|id| SpanId::from(id as u64))
}

/// An id of so many bytes: hexadecimal, as OTLP has it, or base64, as protobuf's own JSON writes bytes. `None`
/// for what is neither, and for all zeros, OTLP's other way to say that there is no id.
fn id(Text(text): &Text, bytes: usize) -> Option<u128> {
    let is_hex = text.len() == 2 * bytes && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = match is_hex {
        true => u128::from_str_radix(text, 16).ok()?,
        false => {
            let decoded = STANDARD.decode(text).ok().filter(|decoded| decoded.len() == bytes)?;
            decoded.into_iter().fold(0, |id, byte| id << 8 | u128::from(byte))
        }
    };
    Some(id).filter(|id| *id != 0)
}
