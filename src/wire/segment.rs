//! The format of a spool's segments: files of encoded records, or spans, that outlive their process.
//!
//! ```text
//! label    magic, sizes, resource, checksum        written once
//!          which entries are done, for which use   written when a request has its outcome
//! ------   a multiple of 4 KiB; from here on the file is mapped while it is written
//! state    the number of this use, the committed entries, the number again
//! index    for each entry: its checksum, whether it is a run, where it ends
//! data     a run: the id of its job's account, the key of its scope; a record: its header and its bytes
//! ```
//!
//! An entry counts once the number of committed entries, which is stored last, says so. A segment is
//! used again and again: checksums depend on the number of the use, so that nothing of an earlier use
//! is ever read. Numbers are little-endian.

pub(crate) mod read;
pub(crate) mod write;

/// The first bytes of a segment. The last one is the version of the format.
pub(crate) const MAGIC: [u8; 8] = *b"spanseg\x01";

/// The most entries of a segment.
pub(crate) const MAX_ENTRIES: usize = 1024;

/// The label's fields before the resource.
pub(crate) const FIXED: usize = 32;

/// The number of the use, a bit for each entry, and a checksum.
pub(crate) const DONE_LEN: usize = 8 + MAX_ENTRIES / 8 + 8;

/// How much of a label [`resource_len`] reads.
pub(crate) const LABEL_HEAD: usize = FIXED;

/// Where the label's fields are.
pub(crate) const DATA_LEN_AT: usize = 8;
pub(crate) const RESOURCE_LEN_AT: usize = 12;
pub(crate) const SIGNAL_AT: usize = 16;
pub(crate) const CHECKSUM_AT: usize = 24;

/// Labels have a multiple of this, so that mappings start at a page.
const PAGE: usize = 4096;

/// In the mapped part: the number of the use, the committed entries, and the number again.
pub(crate) const USE_AT: usize = 0;
pub(crate) const COMMITTED_AT: usize = 8;
pub(crate) const USE_AGAIN_AT: usize = 16;
pub(crate) const INDEX_AT: usize = 24;
pub(crate) const DATA_AT: usize = INDEX_AT + ENTRY * MAX_ENTRIES;

/// In the upper half of an index entry: it is a run, not a record. The other bits are where it ends.
pub(crate) const RUN: u32 = 1 << 31;

/// The bytes of an index entry.
pub(crate) const ENTRY: usize = 8;

/// The id of the job's account, before a run's key.
pub(crate) const RUN_HEADER: usize = 8;

/// The length of the resource, by the beginning of a label.
pub(crate) fn resource_len(head: &[u8; LABEL_HEAD]) -> usize {
    number_at(head, RESOURCE_LEN_AT) as u32 as usize
}

/// The length of a label with a resource of so many bytes.
pub(crate) fn label_len(resource: usize) -> usize {
    (FIXED + resource + DONE_LEN).next_multiple_of(PAGE)
}

/// The label of a segment with `data_len` bytes of data. `signal`: 0 for log records, 1 for spans.
pub(crate) fn label(signal: u8, resource: &[u8], data_len: usize) -> Vec<u8> {
    let mut label = vec![0; label_len(resource.len())];
    label[..DATA_LEN_AT].copy_from_slice(&MAGIC);
    label[DATA_LEN_AT..][..4].copy_from_slice(&(data_len as u32).to_le_bytes());
    label[RESOURCE_LEN_AT..][..4].copy_from_slice(&(resource.len() as u32).to_le_bytes());
    label[SIGNAL_AT] = signal;
    label[FIXED..][..resource.len()].copy_from_slice(resource);
    let sum = label_checksum(&label, resource);
    label[CHECKSUM_AT..][..8].copy_from_slice(&sum.to_le_bytes());
    label
}

/// Where the [done](done_bytes) entries are: at the end of the label, so that they are in one page.
pub(crate) fn done_at(resource: usize) -> usize {
    label_len(resource) - DONE_LEN
}

pub(crate) fn label_checksum(label: &[u8], resource: &[u8]) -> u64 {
    checksum(checksum(0, &label[..CHECKSUM_AT]), resource)
}

/// What is written at [`done_at`]: which entries of this use need not be sent again.
pub(crate) fn done_bytes(number: u64, bits: &[u64; MAX_ENTRIES / 64]) -> [u8; DONE_LEN] {
    let mut bytes = [0; DONE_LEN];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    for (place, word) in bytes[8..].chunks_exact_mut(8).zip(bits) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    let sum = done_checksum(&bytes);
    bytes[DONE_LEN - 8..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// That of the entries that are done.
pub(crate) fn done_checksum(done: &[u8]) -> u64 {
    checksum(1, &done[..DONE_LEN - 8])
}

/// The committed entries as they are stored, so that a damaged number is found.
#[inline]
pub(crate) fn committed(entries: usize) -> [u8; 8] {
    (entries as u64 | u64::from(!(entries as u32)) << 32).to_le_bytes()
}

/// The index entry of the `position`th entry, which ends at `end`. `checksum` is that of its bytes, with
/// the [`seed`].
#[inline]
pub(crate) fn entry(checksum: u64, is_run: bool, end: usize) -> [u8; 8] {
    let end = end as u32 | if is_run { RUN } else { 0 };
    let sum = sealed(checksum, end);
    (u64::from(sum) | u64::from(end) << 32).to_le_bytes()
}

/// What the checksum of an entry starts with.
#[inline]
pub(crate) fn seed(number: u64, position: usize) -> u64 {
    (number << 10).wrapping_add(position as u64)
}

/// The checksum with which an entry is stored: of its bytes and its end.
#[inline]
pub(crate) fn sealed(checksum: u64, end: u32) -> u32 {
    let mixed = (checksum ^ u64::from(end)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as u32
}

/// Two sums over four lanes of 64 bits, as Fletcher's checksum has them: one of the bytes, one of the first
/// after each step, so that the order counts. Finds every damage within eight bytes, and others but for
/// one in four billion. Half as expensive as a CRC in hardware for records of 300 bytes.
#[inline]
pub(crate) fn checksum(seed: u64, bytes: &[u8]) -> u64 {
    let mut sums = [seed, 0, 0, 0];
    let mut orders = [0; 4];
    let (steps, rest) = bytes.as_chunks::<32>();
    for step in steps {
        add(&mut sums, &mut orders, step);
    }
    match bytes.last_chunk::<32>() {
        // It overlaps with the last step, which does no harm.
        Some(last) => add(&mut sums, &mut orders, last),
        None => {
            let mut last = [0; 32];
            last[..rest.len()].copy_from_slice(rest);
            add(&mut sums, &mut orders, &last);
        }
    }
    let joined = |lanes: [u64; 4]| {
        let [a, b, c, d] = lanes;
        a.wrapping_add(b.rotate_left(16)).wrapping_add(c.rotate_left(32)).wrapping_add(d.rotate_left(48))
    };
    // Each bit of either takes part in all bits of the product's halves.
    let sum = joined(sums) ^ bytes.len() as u64 ^ 0x9e37_79b9_7f4a_7c15;
    let product = u128::from(sum) * u128::from(joined(orders) ^ 0xd6e8_feb8_6659_fd93);
    product as u64 ^ (product >> 64) as u64
}

#[inline(always)]
fn add(sums: &mut [u64; 4], orders: &mut [u64; 4], step: &[u8; 32]) {
    let (words, _) = step.as_chunks::<8>();
    for lane in 0..4 {
        sums[lane] = sums[lane].wrapping_add(u64::from_le_bytes(words[lane]));
        orders[lane] = orders[lane].wrapping_add(sums[lane]);
    }
}

/// The number at this place; 0 if that is not there.
pub(crate) fn number_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
