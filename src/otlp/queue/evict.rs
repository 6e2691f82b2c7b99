//! Making room for a record, by dropping older ones that matter less.

use std::cell::RefCell;

use crate::otlp::queue::chunk::Chunk;
use crate::otlp::queue::full::Full;
use crate::otlp::queue::importance::Importance;
use crate::otlp::queue::{Queue, Shard};
use crate::otlp::spool::signal::SignalSpool;
use crate::otlp::sync::{lock_unless_forked, Ordering};

/// Which records are dropped.
#[derive(Clone, Copy)]
struct Victims {
    importance: Importance,
    /// Only those of this job.
    job: Option<u64>,
}

impl Queue {
    /// Drops some of the older records for one of `importance`: of the least importance first, of the
    /// job that uses most first. False if there are none, or all are with the worker.
    #[cold]
    pub(super) fn evict(&self, importance: Importance) -> bool {
        let noisy = self.usage.noisy();
        for lower in [Importance::Low, Importance::Normal].into_iter().filter(|lower| *lower <= importance) {
            // What is on the disk is older. That makes room for what is in memory, if room was what it wanted.
            if self.pool.spool().is_some_and(SignalSpool::is_full) && self.evict_unmapped(lower) {
                return true;
            }
            let jobs = noisy.map(Some).into_iter().chain([None]);
            for victims in jobs.map(|job| Victims { importance: lower, job }) {
                if self.fullest_first().any(|shard| self.evict_from(shard, victims)) {
                    return true;
                }
            }
        }
        if importance < Importance::High {
            return false;
        }
        let Some(full) = self.pop_oldest(u64::MAX) else { return false };
        self.evict_whole(full);
        true
    }

    /// The shards with chunks, those with most of them first.
    fn fullest_first(&self) -> impl Iterator<Item = &Shard> {
        let mut shards: Vec<_> = self
            .shards
            .iter()
            .filter(|shard| shard.front.load(Ordering::Acquire) != u64::MAX)
            .filter_map(|shard| Some((lock_unless_forked(&shard.inner, self.process)?.full.len(), shard)))
            .collect();
        shards.sort_by_key(|(chunks, _)| std::cmp::Reverse(*chunks));
        shards.into_iter().map(|(_, shard)| shard)
    }

    /// Drops such records from the oldest chunk of the shard that has any. False if none has.
    fn evict_from(&self, shard: &Shard, victims: Victims) -> bool {
        let Some(_leaving) = lock_unless_forked(&self.leaving, self.process) else { return false };
        let Some(mut inner) = lock_unless_forked(&shard.inner, self.process) else { return false };
        let jobs = RefCell::new(Vec::new());
        let is_victim = |job: u64, record: &[u8]| {
            let is_victim = victims.job.is_none_or(|victim| victim == job)
                && Importance::of_encoded(self.signal, record) == victims.importance;
            if is_victim && job != 0 {
                jobs.borrow_mut().push(job);
            }
            is_victim
        };
        let filter = |chunk: &Chunk| {
            // What is in a segment is unmapped instead.
            if chunk.segment().is_some() {
                return None;
            }
            let kept = chunk.filtered(|job, record| !is_victim(job, record));
            (kept.records < chunk.records).then_some(kept)
        };
        let in_full = |full: &mut Full| match full {
            Full::InMemory(chunk) => {
                let kept = filter(chunk)?;
                Some(std::mem::replace(chunk, Box::new(kept)))
            }
            Full::Unmapped(_) => None,
        };
        let found = inner.full.iter_mut().enumerate().find_map(|(index, full)| Some((index, in_full(full)?)));
        let (before, kept) = match found {
            Some((index, before)) => {
                let (records, cost) = self.remaining(inner.full.get(index));
                if records == 0 {
                    inner.full.remove(index);
                }
                (before, (records, cost))
            }
            None => {
                let Some(kept) = inner.open.as_deref().and_then(filter) else { return false };
                let Some(before) = inner.open.take() else { return false };
                let kept = Some(Full::from(Box::new(kept))).filter(|kept| kept.records() > 0);
                let remaining = self.remaining(kept.as_ref());
                inner.full.extend(kept);
                (before, remaining)
            }
        };
        let dropped = before.records - kept.0;
        inner.records -= dropped;
        shard.front.store(inner.front(), Ordering::Release);
        drop(inner);
        self.counters.dropped_oldest(dropped as u64);
        for job in jobs.into_inner() {
            self.count_dropped(job, |tally| tally.dropped_oldest += 1);
        }
        self.budget.release(self.cost(&before) - kept.1);
        self.pool.recycle(before);
        true
    }

    /// The records of what is left of a chunk, and the bytes that it is charged with.
    fn remaining(&self, kept: Option<&Full>) -> (usize, usize) {
        match kept {
            Some(Full::InMemory(chunk)) if chunk.records > 0 => (chunk.records, self.cost(chunk)),
            _ => (0, 0),
        }
    }
}
