//! What stands in front of a record's body: time and severity. It is written last, when both are settled,
//! into room that was left for it.

use opentelemetry::logs::Severity;

use crate::otlp::queue::chunk::MOST_HEADER;
use crate::record::ALL_SEVERITIES;
use crate::wire::log_record::field;
use crate::wire::put::{tag, FIXED64, LENGTH, VARINT};

/// Writes time and severity in front of the body, and returns where they begin.
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

/// Number and text of a severity at their longest, "DEBUG4".
const MAX_SEVERITY: usize = 4 + 6;

/// Where the body begins: behind the record's own header, the time and the longest severity.
pub(crate) const BODY_AT: usize = MOST_HEADER + 9 + MAX_SEVERITY;

/// Number and text of each severity by its number, at the end of the bytes, and where they begin in
/// front of a body. There are 24 of them; 32 is a power of two.
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
