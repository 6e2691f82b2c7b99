//! What stands in front of a record's body: time and severity. It is written last, when both are settled,
//! into room that was left for it.

use opentelemetry::logs::Severity;

use crate::otlp::queue::chunk::MAX_HEADER;
use crate::record::ALL_SEVERITIES;
use crate::wire::log_record::field;
use crate::wire::put::{tag, FIXED64, LENGTH, VARINT};

/// Writes time and severity in front of the body, and returns where they begin.
#[inline(always)]
pub(crate) fn put_head(front: &mut [u8], severity: Severity, unix_nanos: u64) -> usize {
    let Some(head) = front.first_chunk_mut::<BODY_AT>() else { return 0 };
    let (encoded, begin) = &SEVERITIES[severity as usize % SEVERITIES.len()];
    head[BODY_AT - LONGEST_SEVERITY..].copy_from_slice(encoded);
    let begin = usize::from(*begin);
    if unix_nanos == 0 {
        return begin;
    }
    let begin = begin - 9;
    head[begin] = tag(field::TIME, FIXED64);
    head[begin + 1..][..8].copy_from_slice(&unix_nanos.to_le_bytes());
    begin
}

/// Number and text of a severity at their longest, "DEBUG4".
const LONGEST_SEVERITY: usize = 4 + 6;

/// Where the body begins: behind the record's own header, the time and the longest severity.
pub(crate) const BODY_AT: usize = MAX_HEADER + 9 + LONGEST_SEVERITY;

/// Number and text of each severity by its number, at the end of the bytes, and where they begin in
/// front of a body. There are 24 of them; 32 is a power of two.
static SEVERITIES: [([u8; LONGEST_SEVERITY], u8); 32] = {
    let mut all = [([0; LONGEST_SEVERITY], BODY_AT as u8); 32];
    let mut at = 0;
    while at < ALL_SEVERITIES.len() {
        let severity = ALL_SEVERITIES[at];
        let text = severity.name().as_bytes();
        let (bytes, begin) = &mut all[severity as usize];
        let (_, own) = bytes.split_at_mut(LONGEST_SEVERITY - 4 - text.len());
        let (header, name) = own.split_at_mut(4);
        header.copy_from_slice(&[
            tag(field::SEVERITY_NUMBER, VARINT),
            severity as u8,
            tag(field::SEVERITY_TEXT, LENGTH),
            text.len() as u8,
        ]);
        name.copy_from_slice(text);
        *begin = (BODY_AT - 4 - text.len()) as u8;
        at += 1;
    }
    all
};
