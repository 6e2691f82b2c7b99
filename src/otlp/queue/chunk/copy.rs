//! Copies of chunks: with some of their records, or in another kind of memory.

use crate::otlp::queue::chunk::{Chunk, Encoded, Memory, ScopeKey};
use crate::otlp::spool::segment::Segment;
use crate::wire::read::{Fields, Raw};
use crate::wire::segment::{MAX_ENTRIES, RUN_HEADER};

impl Chunk {
    /// A copy without unused capacity, in memory of its own.
    pub(crate) fn compact(&self) -> Self {
        let (memory, runs) = (Memory::Own(self.bytes().to_vec()), self.runs.clone());
        Self { memory, runs, ..*self }
    }

    /// A copy with only the records for which `keeps` is true, without unused capacity and in memory of its
    /// own. A chunk that cannot be read is kept whole.
    pub(crate) fn filtered(&self, keeps: impl FnMut(u64, &[u8]) -> bool) -> Self {
        let mut kept = Self { ticket: self.ticket, ..Self::default() };
        if !self.copy_to(&mut kept, keeps) {
            return self.compact();
        }
        if let Memory::Own(bytes) = &mut kept.memory {
            bytes.shrink_to_fit();
        }
        kept
    }

    /// A copy in the segment that `create` makes, with room for so many bytes. `None` if there is none, or
    /// the records do not fit.
    pub(crate) fn in_new_segment(&self, create: impl FnOnce(usize) -> Option<Segment>) -> Option<Self> {
        if self.records + self.runs.len() > MAX_ENTRIES {
            return None;
        }
        let runs = self.runs.iter().map(|run| run.key_len + RUN_HEADER);
        let mut copy = Self::in_segment(create(self.len() + runs.sum::<usize>())?);
        copy.begin(self.ticket);
        self.copy_to(&mut copy, |_, _| true).then_some(copy)
    }

    /// Adds the records for which `keeps` is true to `copy`. False if this chunk cannot be read.
    fn copy_to(&self, copy: &mut Self, mut keeps: impl FnMut(u64, &[u8]) -> bool) -> bool {
        for (run, piece) in self.runs.iter().zip(self.pieces()) {
            let framed = &self.bytes()[piece.framed];
            let scope = match run.key {
                Some(key) => ScopeKey::Static(key),
                None => ScopeKey::Borrowed(piece.scope),
            };
            let mut fields = Fields::of(framed);
            loop {
                let begin = fields.rest();
                let Ok(next) = fields.next() else { return false };
                let Some((_, Raw::Bytes(record))) = next else { break };
                if keeps(run.job, record) {
                    let whole = &begin[..begin.len() - fields.rest().len()];
                    let encoded = Encoded { front: whole, rest: &[], header: whole.len() - record.len() };
                    copy.add(scope, run.job, &encoded, Self::max_cost(scope, whole.len()));
                }
            }
        }
        true
    }

    /// The encoded records, without their headers.
    pub(crate) fn items(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces().flat_map(|piece| items_of(&self.bytes()[piece.framed]))
    }

    /// Adds a record that is encoded already, with its header.
    pub(crate) fn add_framed(&mut self, scope: &[u8], job: u64, framed: &[u8]) {
        let scope = ScopeKey::Borrowed(scope);
        let encoded = Encoded { front: framed, rest: &[], header: 0 };
        self.add(scope, job, &encoded, Self::max_cost(scope, framed.len()));
    }
}

/// Records, each with its header, without their headers.
pub(crate) fn items_of(framed: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut fields = Fields::of(framed);
    std::iter::from_fn(move || match fields.next() {
        Ok(Some((_, Raw::Bytes(item)))) => Some(item),
        _ => None,
    })
}
