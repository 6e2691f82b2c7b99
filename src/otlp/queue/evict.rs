//! Making room for a record, by dropping older ones that matter less.

use crate::otlp::queue::chunk::Chunk;
use crate::otlp::queue::importance::Importance;
use crate::otlp::queue::{Queue, Shard};
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
        let Some(chunk) = self.pop_oldest(u64::MAX) else { return false };
        self.counters.dropped_oldest(chunk.records as u64);
        self.budget.release(self.cost(&chunk));
        self.pool.recycle(chunk);
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
        let Some(mut inner) = lock_unless_forked(&shard.inner, self.process) else { return false };
        let is_victim = |job: u64, record: &[u8]| {
            victims.job.is_none_or(|victim| victim == job)
                && Importance::of_encoded(self.signal, record) == victims.importance
        };
        let filter = |chunk: &Chunk| {
            let kept = chunk.filtered(|job, record| !is_victim(job, record));
            (kept.records < chunk.records).then_some(kept)
        };
        let found = inner.full.iter().enumerate().find_map(|(index, chunk)| Some((index, filter(chunk)?)));
        let (before, kept) = match found {
            Some((index, kept)) => {
                let before = match kept.records {
                    0 => inner.full.remove(index),
                    _ => inner.full.get_mut(index).map(|chunk| std::mem::replace(chunk, kept.clone())),
                };
                (before, kept)
            }
            None => {
                let Some(kept) = inner.open.as_ref().and_then(filter) else { return false };
                let before = inner.open.take();
                if kept.records > 0 {
                    inner.full.push_back(kept.clone());
                }
                (before, kept)
            }
        };
        let Some(before) = before else { return false };
        let dropped = before.records - kept.records;
        inner.records -= dropped;
        shard.front.store(inner.front(), Ordering::Release);
        drop(inner);
        self.counters.dropped_oldest(dropped as u64);
        let remaining = if kept.records > 0 { self.cost(&kept) } else { 0 };
        self.budget.release(self.cost(&before) - remaining);
        self.pool.recycle(before);
        true
    }
}
