//! The prefix of a record's body: time and severity. It is written last, as a field may still set
//! the severity, into bytes that were reserved for it.

use opentelemetry::logs::Severity;

use crate::otlp::queue::chunk::MAX_HEADER;
use crate::record::ALL_SEVERITIES;
use crate::wire::log_record::field;
use crate::wire::put::{tag, FIXED64, LENGTH, VARINT};

/// Writes time and severity in front of the body, and returns where they start.
#[inline(always)]
pub(crate) fn put_prefix(front: &mut [u8], severity: Severity, unix_nanos: u64) -> usize {
    let Some(prefix) = front.first_chunk_mut::<BODY_AT>() else { return 0 };
    let (encoded, start) = &SEVERITIES[severity as usize % SEVERITIES.len()];
    prefix[BODY_AT - MAX_SEVERITY..].copy_from_slice(encoded);
    let start = usize::from(*start);
    if unix_nanos == 0 {
        return start;
    }
    let start = start - 9;
    prefix[start] = tag(field::TIME, FIXED64);
    prefix[start + 1..][..8].copy_from_slice(&unix_nanos.to_le_bytes());
    start
}

/// The longest encoding of a severity's number and text, that of "DEBUG4".
const MAX_SEVERITY: usize = 4 + 6;

/// Where the body starts: after the record's own header, the time and the longest severity.
pub(crate) const BODY_AT: usize = MAX_HEADER + 9 + MAX_SEVERITY;

/// The encoded number and text of each severity, by number: right-aligned, with the place where
/// they start in front of a body. There are 24; 32 is a power of two.
static SEVERITIES: [([u8; MAX_SEVERITY], u8); 32] = {
    let mut all = [([0; MAX_SEVERITY], BODY_AT as u8); 32];
    let mut at = 0;
    while at < ALL_SEVERITIES.len() {
        let severity = ALL_SEVERITIES[at];
        let text = severity.name().as_bytes();
        let (bytes, start) = &mut all[severity as usize];
        let (_, own) = bytes.split_at_mut(MAX_SEVERITY - 4 - text.len());
        let (header, name) = own.split_at_mut(4);
        header.copy_from_slice(&[
            tag(field::SEVERITY_NUMBER, VARINT),
            severity as u8,
            tag(field::SEVERITY_TEXT, LENGTH),
            text.len() as u8,
        ]);
        name.copy_from_slice(text);
        *start = (BODY_AT - 4 - text.len()) as u8;
        at += 1;
    }
    all
};
