//! The spans of ops that have started and not ended, for the case that nobody ends them. They are kept in segments
//! of their own, in which those that have ended are done.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;

use opentelemetry::SpanId;

use crate::otlp::spool::done;
use crate::otlp::spool::done::DoneBits;
use crate::otlp::spool::segment::Segment;
use crate::wire::segment::MAX_ENTRIES;

/// How many bytes of data a segment has: some hundred spans.
const DATA_LEN: usize = 60 * 1024;

#[derive(Debug, Default)]
pub(super) struct OpenSpans {
    /// By the numbers of their files. Spans are added to the last one.
    segments: BTreeMap<u64, OpenSegment>,
    /// Where each span is: the number of the file, and that of its entry.
    places: HashMap<SpanId, (u64, usize)>,
    /// The numbers of uses.
    next_use: u64,
}

#[derive(Debug)]
struct OpenSegment {
    segment: Segment,
    /// To write which spans are done.
    file: File,
    done: DoneBits,
    entries: usize,
    /// The spans that have not ended.
    live: usize,
    /// The scope of the last run.
    key: Vec<u8>,
}

impl OpenSegment {
    /// Empties it, for another use.
    fn begin(&mut self, number: u64) {
        self.segment.clear();
        self.segment.begin(number);
        (self.done, self.entries, self.live) = ([0; MAX_ENTRIES / 64], 0, 0);
        self.key.clear();
    }
}

impl OpenSpans {
    /// Adds a span that has started. `create` makes a segment with room for so many bytes, and says where it
    /// is.
    pub(super) fn start(
        &mut self,
        id: SpanId,
        key: &[u8],
        framed: &[u8],
        create: impl FnOnce(usize) -> io::Result<(Segment, File)>,
    ) -> io::Result<()> {
        // Two processors of one provider may both say that it has started.
        if self.places.contains_key(&id) {
            return Ok(());
        }
        let last = self.segments.last_entry().filter(|last| last.get().segment.fits(framed.len(), key.len()));
        let mut segment = match last {
            Some(last) => last,
            None => {
                let (segment, file) = create(DATA_LEN.max(2 * (framed.len() + key.len())))?;
                let number = segment.file;
                let done = [0; MAX_ENTRIES / 64];
                let mut made = OpenSegment { segment, file, done, entries: 0, live: 0, key: Vec::new() };
                self.next_use += 1;
                made.begin(self.next_use);
                self.segments.insert(number, made);
                let Some(last) = self.segments.last_entry() else { return Ok(()) };
                last
            }
        };
        let number = *segment.key();
        let open = segment.get_mut();
        if open.entries == 0 || open.key != key {
            open.segment.begin_run(0, key);
            open.key = key.to_vec();
            open.entries += 1;
        }
        open.segment.push(framed, &[]);
        self.places.insert(id, (number, open.entries));
        (open.entries, open.live) = (open.entries + 1, open.live + 1);
        Ok(())
    }

    /// A span has ended. Returns a segment that has no others and takes no more, to be removed.
    pub(super) fn end(&mut self, id: SpanId, resource_len: usize) -> Option<Segment> {
        let (number, entry) = self.places.remove(&id)?;
        let is_last = self.segments.last_key_value().is_some_and(|(last, _)| *last == number);
        let open = self.segments.get_mut(&number)?;
        open.live -= 1;
        if open.live > 0 {
            open.done[entry / 64] |= 1 << (entry % 64);
            // If that fails, and the process is killed, the span is closed once more.
            let _ = done::write(&open.file, open.segment.number(), resource_len, &open.done);
            return None;
        }
        if is_last {
            self.next_use += 1;
            open.begin(self.next_use);
            return None;
        }
        self.segments.remove(&number).map(|mut open| {
            open.segment.clear();
            open.segment
        })
    }

    /// Gives up the segments without spans that have not ended.
    pub(super) fn take_idle(&mut self) -> Vec<Segment> {
        let idle = self.segments.extract_if(.., |_, open| open.live == 0);
        idle.map(|(_, open)| open.segment).collect()
    }
}
