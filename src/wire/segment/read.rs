//! Reading a segment. The bytes may come from anywhere: everything is checked, and nothing panics.

use std::fmt;

use crate::wire::segment::{
    checksum, done_at, done_checksum, label_checksum, label_len, number_at, resource_len, sealed, seed,
    CHECKSUM_AT, COMMITTED_AT, DATA_AT, DATA_LEN_AT, DONE_LEN, ENTRY, FIXED, INDEX_AT, MAGIC, MAX_ENTRIES,
    RUN, RUN_HEADER, SIGNAL_AT, USE_AGAIN_AT, USE_AT,
};

/// Why nothing of a file can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoSegment(&'static str);

impl fmt::Display for NoSegment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no segment of a spool: {}", self.0)
    }
}

impl std::error::Error for NoSegment {}

/// A segment that was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment<'a> {
    /// The encoded fields of the resource.
    pub(crate) resource: &'a [u8],
    /// 0 for log records, 1 for spans.
    #[cfg_attr(not(any(test, feature = "graph")), expect(dead_code, reason = "a pipeline knows its signal"))]
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
            index: &index[..index.len().min(ENTRY * MAX_ENTRIES)],
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
        if !is_sound && numbers[0] != numbers[1] {
            // It could be taken for an earlier use, which was sent.
            segment.entries = usize::from(stored != 0);
            return Ok(segment);
        }
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
        // If it is damaged, what is done is sent once more.
        let is_of_this_use = number_at(segment.done, 0) == segment.number
            && number_at(segment.done, DONE_LEN - 8) == done_checksum(segment.done);
        (0..segment.entries).map(move |position| {
            let Some((is_run, bytes)) = segment.sound(position, segment.number) else {
                return Entry::Damaged {
                    is_run: segment.stored(position).is_none_or(|(_, end)| end & RUN != 0),
                };
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
        let entry = self.index.get(ENTRY * position..)?.first_chunk::<8>()?;
        let entry = u64::from_le_bytes(*entry);
        Some((entry as u32, (entry >> 32) as u32))
    }
}
