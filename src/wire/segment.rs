//! The format of a spool's segments: files of encoded records, or spans, that outlive their process.
//!
//! ```text
//! label    magic, sizes, resource, checksum        written once
//!          which entries are done, for which use   written when a request has its outcome
//! ------   a multiple of 4 KiB; from here on the file is mapped while it is written
//! state    the number of this use, the committed entries, the number again
//! index    for each entry: its checksum, whether it is a run, where it ends
//! data     a run: the id of its job scope, the key of its scope; a record: its header and its bytes
//! ```
//!
//! An entry counts once the number of committed entries, which is stored last, says so. A segment is
//! used again and again: checksums depend on the number of the use, so that nothing of an earlier use
//! is ever read. Numbers are little-endian.

use std::fmt;

use crate::wire::put::put_bytes;

/// The first bytes of a segment. The last one is the version of the format.
pub(crate) const MAGIC: [u8; 8] = *b"spanseg\x01";

/// The most entries of a segment.
pub(crate) const MAX_ENTRIES: usize = 1024;

/// The label's fields before the resource.
const FIXED: usize = 32;

/// The number of the use, and a bit for each entry.
pub(crate) const DONE_LEN: usize = 8 + MAX_ENTRIES / 8;

/// How much of a label [`resource_len`] reads.
pub(crate) const LABEL_HEAD: usize = FIXED;

/// Where the label's fields are.
const DATA_LEN_AT: usize = 8;
const RESOURCE_LEN_AT: usize = 12;
const SIGNAL_AT: usize = 16;
const CHECKSUM_AT: usize = 24;

/// Labels have a multiple of this, so that mappings start at a page.
const PAGE: usize = 4096;

/// In the mapped part: the number of the use, the committed entries, and the number again.
pub(crate) const USE_AT: usize = 0;
pub(crate) const COMMITTED_AT: usize = 8;
pub(crate) const USE_AGAIN_AT: usize = 16;
pub(crate) const INDEX_AT: usize = 24;
pub(crate) const DATA_AT: usize = INDEX_AT + 8 * MAX_ENTRIES;

/// In the upper half of an index entry: it is a run, not a record. The other bits are where it ends.
const RUN: u32 = 1 << 31;

/// The id of the job scope, before a run's key.
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

/// Where the [done](done_bytes) entries are.
pub(crate) fn done_at(resource: usize) -> usize {
    FIXED + resource
}

fn label_checksum(label: &[u8], resource: &[u8]) -> u64 {
    checksum(checksum(0, &label[..CHECKSUM_AT]), resource)
}

/// What is written at [`done_at`]: which entries of this use need not be sent again.
pub(crate) fn done_bytes(number: u64, bits: &[u64; MAX_ENTRIES / 64]) -> [u8; DONE_LEN] {
    let mut bytes = [0; DONE_LEN];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    for (place, word) in bytes[8..].chunks_exact_mut(8).zip(bits) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    bytes
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
fn sealed(checksum: u64, end: u32) -> u32 {
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

/// Why nothing of a file can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoSegment(&'static str);

impl fmt::Display for NoSegment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no segment of a spool: {}", self.0)
    }
}

impl std::error::Error for NoSegment {}

/// A segment that was read. The bytes may come from anywhere: everything is checked, and nothing panics.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment<'a> {
    /// The encoded fields of the resource.
    pub(crate) resource: &'a [u8],
    /// 0 for log records, 1 for spans.
    pub(crate) signal: u8,
    /// The number of its use.
    pub(crate) number: u64,
    /// Those that were committed, or as many as can be read if their number is damaged.
    entries: usize,
    done: &'a [u8],
    index: &'a [u8],
    data: &'a [u8],
}

/// One entry of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry<'a> {
    /// The records after it are of this job and scope.
    Run { job: u64, scope: &'a [u8] },
    /// A record with its header. `is_done`: it need not be sent again.
    Record { framed: &'a [u8], is_done: bool },
    /// It cannot be read. `is_run`: the records after it are of another run than those before.
    Damaged { is_run: bool },
}

impl<'a> Segment<'a> {
    /// Reads the label and the state of a segment. One that is cut off is read up to there.
    pub(crate) fn read(file: &'a [u8]) -> Result<Self, NoSegment> {
        let fixed = file.first_chunk::<FIXED>().ok_or(NoSegment("it is shorter than a label"))?;
        if fixed[..8] != MAGIC {
            return Err(NoSegment("it does not begin like one"));
        }
        let (data_len, resource_len) = (number_at(fixed, DATA_LEN_AT) as u32 as usize, resource_len(fixed));
        if resource_len > file.len() {
            return Err(NoSegment("its label is cut off, or damaged"));
        }
        let label_len = label_len(resource_len);
        let label = file.get(..label_len).ok_or(NoSegment("its label is cut off"))?;
        let resource = &label[FIXED..][..resource_len];
        if number_at(label, CHECKSUM_AT) != label_checksum(label, resource) {
            return Err(NoSegment("its label is damaged"));
        }
        let mapped = &file[label_len..];
        let index = mapped.get(INDEX_AT..).unwrap_or_default();
        let data = mapped.get(DATA_AT..).unwrap_or_default();
        let mut segment = Self {
            resource,
            signal: label[SIGNAL_AT],
            number: 0,
            entries: 0,
            done: &label[done_at(resource_len)..][..DONE_LEN],
            index: &index[..index.len().min(8 * MAX_ENTRIES)],
            data: &data[..data.len().min(data_len)],
        };
        if mapped.len() < INDEX_AT {
            // It was never used.
            return Ok(segment);
        }
        let stored = number_at(mapped, COMMITTED_AT);
        let count = stored as u32;
        let is_sound = stored >> 32 == u64::from(!count) && count as usize <= MAX_ENTRIES;
        segment.entries = if is_sound { count as usize } else { MAX_ENTRIES };
        // One of the two may be damaged.
        let numbers = [USE_AT, USE_AGAIN_AT].map(|at| number_at(mapped, at));
        segment.number = numbers[usize::from(!segment.has_sound_entry(numbers[0]))];
        if stored == 0 && !segment.has_sound_entry(segment.number) {
            // It is as it was created.
            segment.entries = 0;
        } else if !is_sound {
            // Those that can be read, and one that says that something is damaged.
            let sound = (0..MAX_ENTRIES).take_while(|at| segment.is_sound(*at, segment.number)).count();
            segment.entries = (sound + 1).min(MAX_ENTRIES);
        }
        Ok(segment)
    }

    /// All entries, in order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry<'a>> + use<'a> {
        let segment = *self;
        let is_of_this_use = number_at(segment.done, 0) == segment.number;
        (0..segment.entries).map(move |position| {
            let Some((is_run, bytes)) = segment.sound(position, segment.number) else {
                return Entry::Damaged { is_run: segment.stored(position).is_none_or(|(_, end)| end & RUN != 0) };
            };
            if is_run {
                return match bytes.split_first_chunk::<RUN_HEADER>() {
                    Some((job, scope)) => Entry::Run { job: u64::from_le_bytes(*job), scope },
                    None => Entry::Damaged { is_run },
                };
            }
            let bit = segment.done[8 + position / 8] >> (position % 8) & 1;
            Entry::Record { framed: bytes, is_done: is_of_this_use && bit == 1 }
        })
    }

    /// All records, done or not, as the request that they would be sent in, and the number of damaged
    /// entries.
    pub(crate) fn request(&self) -> (Vec<u8>, u64) {
        let mut message = Vec::new();
        put_bytes(&mut message, 1, self.resource);
        let (mut scope, mut damaged) = (Vec::new(), 0);
        let mut end = |scope: &mut Vec<u8>| {
            if !scope.is_empty() {
                put_bytes(&mut message, 2, scope);
            }
            scope.clear();
        };
        for entry in self.entries() {
            match entry {
                Entry::Run { scope: key, .. } => {
                    end(&mut scope);
                    match self.signal {
                        // The key is the scope's name.
                        0 => {
                            let mut name = Vec::new();
                            put_bytes(&mut name, 1, key);
                            put_bytes(&mut scope, 1, &name);
                        }
                        // It is the fields of the message.
                        _ => scope.extend_from_slice(key),
                    }
                }
                Entry::Record { framed, .. } => scope.extend_from_slice(framed),
                Entry::Damaged { is_run } => {
                    damaged += 1;
                    if is_run {
                        end(&mut scope);
                    }
                }
            }
        }
        end(&mut scope);
        let mut request = Vec::new();
        put_bytes(&mut request, 1, &message);
        (request, damaged)
    }

    fn has_sound_entry(&self, number: u64) -> bool {
        (0..self.entries).any(|position| self.is_sound(position, number))
    }

    fn is_sound(&self, position: usize, number: u64) -> bool {
        self.sound(position, number).is_some()
    }

    /// Whether the entry is a run, and its bytes. `None` if they are not what was written.
    fn sound(&self, position: usize, number: u64) -> Option<(bool, &'a [u8])> {
        let stored = self.stored(position)?;
        let begin = match position.checked_sub(1) {
            Some(before) => self.stored(before)?.1 & !RUN,
            None => 0,
        };
        let (sum, end) = stored;
        let bytes = self.data.get(begin as usize..(end & !RUN) as usize)?;
        (sealed(checksum(seed(number, position), bytes), end) == sum).then_some((end & RUN != 0, bytes))
    }

    /// The checksum of an entry, and its end.
    fn stored(&self, position: usize) -> Option<(u32, u32)> {
        let entry = self.index.get(8 * position..)?.first_chunk::<8>()?;
        let entry = u64::from_le_bytes(*entry);
        Some((entry as u32, (entry >> 32) as u32))
    }
}

/// The number at this place; 0 if that is not there.
fn number_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
