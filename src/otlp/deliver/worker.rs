//! The worker thread: it takes chunks out of the queue and batches their records into requests.
//!
//! It runs under telemetry suppression, so that what a transport or a library below it logs never
//! becomes a record.

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use opentelemetry::Context;

use crate::error::Error;
use crate::otlp::config::Config;
use crate::otlp::deliver::chunk_ref::ChunkRef;
use crate::otlp::deliver::delivery::Delivery;
use crate::otlp::deliver::reporter::Reporter;
use crate::otlp::deliver::request::{Batch, Resource};
use crate::otlp::deliver::restored::{restore, Leftovers, Unread};
use crate::otlp::deliver::senders::Senders;
use crate::otlp::queue::chunk::Piece;
use crate::otlp::queue::control::{Command, Phase, Taken};
use crate::otlp::queue::full::{jobs_of, Full};
use crate::otlp::queue::Queue;
use crate::otlp::sync::after;
use crate::otlp::transport::Transport;
use crate::wire::read::Fields;

/// Starts the worker thread, which ends after a shutdown. Returns what it reports with.
pub(crate) fn start(
    queue: Arc<Queue>,
    config: Config,
    transports: Vec<Box<dyn Transport>>,
) -> Result<Arc<Reporter>, Error> {
    let config = Arc::new(config);
    let reporter = Reporter::new(config.signal, config.receiver.clone(), config.on_loss.clone());
    let reporter = Arc::new(reporter);
    let delivery = |transport| Delivery {
        transport,
        config: Arc::clone(&config),
        queue: Arc::clone(&queue),
        reporter: Arc::clone(&reporter),
    };
    let deliveries = transports.into_iter().map(delivery).collect();
    let reports = Arc::clone(&reporter);
    let worker = Worker {
        senders: Senders::new(Arc::clone(&queue), deliveries)?,
        batch: Batch::new(config.signal),
        resource: config.resource.clone(),
        leftovers: Leftovers::default(),
        config,
        reporter,
        _end: End(Arc::clone(&queue)),
        queue,
    };
    let run = || {
        // Our log layers drop what the transport logs. A scoped `NoSubscriber` would keep it from
        // other layers, too, but while any thread has a scoped default, tracing drops the events
        // that an event's values log while they are formatted, on all threads.
        let _suppressed = Context::enter_telemetry_suppressed_scope();
        worker.run();
    };
    match thread::Builder::new().name("spanlog-otlp".into()).spawn(run) {
        Ok(_) => Ok(reports),
        Err(error) => {
            Err(Error::delivery("cannot start the thread that delivers records".into()).with_source(error))
        }
    }
}

struct Worker {
    senders: Senders,
    config: Arc<Config>,
    reporter: Arc<Reporter>,
    queue: Arc<Queue>,
    /// The records of the next request.
    batch: Batch,
    /// The resource of the next request: this process's, or that of one which has left records.
    resource: Resource,
    leftovers: Leftovers,
    _end: End,
}

/// When the worker ends, even by a panic, this gives the remaining records their outcome and wakes
/// everyone who waits for the worker.
struct End(Arc<Queue>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.close();
        self.0.drop_all();
        self.0.control.worker_ended(&self.0.counters);
    }
}

impl Worker {
    fn run(mut self) {
        self.work();
        let Self { senders, batch, leftovers, _end, .. } = self;
        // In this order: records are released and files are closed before anyone learns of the end.
        drop((batch, leftovers));
        senders.close();
    }

    fn work(&mut self) {
        let mut tick = after(self.config.schedule_delay);
        if self.queue.pool.spool().is_some() {
            // What another process left waits for nothing.
            tick = Instant::now();
        }
        loop {
            let command = self.queue.control.next_command(tick);
            let before = match command {
                Command::Stop => return,
                Command::Last => u64::MAX,
                // What threads add from now on is left for the next command, or a flush might never
                // end.
                Command::Full | Command::Everything { .. } => self.queue.next_ticket(),
            };
            // A batch that fills keeps its memory. If that is short, it is not waited for.
            let can_wait = command == Command::Full && !self.queue.budget.is_half_used();
            let is_alive = self.drain(before) && (can_wait || self.send_batch());
            match command {
                _ if !is_alive => return,
                Command::Stop => return,
                Command::Last => return self.recover_until_deadline(),
                Command::Full => {}
                Command::Everything { flush } => {
                    self.queue.control.flush_sent(flush);
                    self.reporter.check(&self.queue.counters.snapshot());
                    tick = after(self.config.schedule_delay);
                }
            }
            if let Some(spool) = self.queue.pool.spool() {
                spool.report_failure();
            }
            self.leftovers.look(&self.queue);
            if !self.leftovers.is_empty() {
                if !self.recover() {
                    return;
                }
                // By turns with what is new.
                tick = Instant::now();
            }
        }
    }

    /// Sends what other processes left, for half of the time that a shutdown has left, and as long as the receiver
    /// takes it.
    fn recover_until_deadline(&mut self) {
        let Phase::ShuttingDown { deadline } = self.queue.control.phase() else { return };
        let now = Instant::now();
        let until = now + deadline.saturating_duration_since(now) / 2;
        self.leftovers.look(&self.queue);
        let left = |queue: &Queue| queue.counters.snapshot().spooled;
        let before = left(&self.queue);
        while !self.leftovers.is_empty() && Instant::now() < until && left(&self.queue) == before {
            if !self.recover() {
                return;
            }
        }
    }

    /// Sends a request's worth of what other processes left. False if the worker was abandoned.
    fn recover(&mut self) -> bool {
        let Some(spool) = self.queue.pool.spool().cloned() else { return true };
        // Its resource is another one.
        let mut is_alive = self.send_batch();
        let (mut bytes, mut taken) = (0, 0);
        while is_alive && bytes < self.max_bytes() && taken < self.config.max_batch_records {
            let Some((restored, chunk)) = self.leftovers.next(&spool) else { break };
            let (records, damaged) = (chunk.records as u64, restored.damaged);
            let counters = &self.queue.counters;
            counters.emitted(records + damaged);
            counters.recovered(records + damaged);
            counters.dropped_damaged(damaged);
            bytes += chunk.len();
            taken += chunk.records;
            if restored.resource != self.resource.bytes() {
                is_alive = self.send_batch();
                self.resource = restored.resource.clone().into();
            }
            is_alive &=
                self.add_chunk(ChunkRef::restored(restored, Box::new(chunk), Arc::downgrade(&self.queue)));
        }
        is_alive &= self.send_batch();
        self.resource = self.config.resource.clone();
        self.reporter.check(&self.queue.counters.snapshot());
        is_alive
    }

    /// Adds all chunks begun before `before` to the batch, and sends it whenever it is full. False
    /// if the worker was abandoned.
    fn drain(&mut self, before: u64) -> bool {
        loop {
            while let Some(chunk) = self.queue.pop_oldest(before) {
                if !self.add_full(chunk) {
                    return false;
                }
            }
            if !self.queue.reclaim_leases(before) {
                return true;
            }
        }
    }

    fn add_full(&mut self, full: Full) -> bool {
        let queue = Arc::downgrade(&self.queue);
        let Queue { pool, counters, .. } = &*self.queue;
        let chunk = match full {
            Full::InMemory(chunk) => {
                match chunk.segment() {
                    Some(segment) => pool.set_full(segment.file),
                    None if pool.spool().is_some() => counters.unspooled(chunk.records as u64),
                    None => {}
                }
                ChunkRef::new(pool.compact(chunk), queue)
            }
            Full::Unmapped(unmapped) => {
                let Some(spool) = pool.spool() else { return true };
                let own = spool.own();
                let path = own.segment(spool.signal(), unmapped.file);
                let restored = restore(&own, path, true, |_| {});
                if let Err(Unread::Failed) = restored {
                    // It stays there, and the next process may be able to read it.
                    counters.spooled(unmapped.records as u64);
                    for (job, records) in &unmapped.jobs {
                        self.queue.count(*job, |tally| tally.spooled += *records as u64);
                    }
                    return true;
                }
                let readable = restored.as_ref().map_or(0, |(_, chunk)| chunk.records);
                counters.dropped_damaged(unmapped.records.saturating_sub(readable) as u64);
                let found = restored.as_ref().map(|(_, chunk)| jobs_of(chunk)).unwrap_or_default();
                for (job, records) in &unmapped.jobs {
                    let found = found.iter().find(|(other, _)| other == job).map_or(0, |(_, found)| *found);
                    let damaged = records.saturating_sub(found) as u64;
                    self.queue.count(*job, |tally| tally.dropped_damaged += damaged);
                }
                let Ok((restored, chunk)) = restored else { return true };
                ChunkRef::restored(restored, Box::new(chunk), queue)
            }
        };
        self.add_chunk(chunk)
    }

    fn add_chunk(&mut self, chunk: ChunkRef) -> bool {
        let records = chunk.records as u64;
        let taken = Taken { records, spooled: if chunk.is_spooled() { records } else { 0 } };
        if !self.queue.control.dequeued(taken, &self.queue.counters) {
            return false;
        }
        let chunk = Arc::new(chunk);
        let mut pieces = chunk.pieces();
        pieces.all(|piece| self.add_piece(&chunk, piece))
    }

    fn add_piece(&mut self, chunk: &Arc<ChunkRef>, mut piece: Piece<'_>) -> bool {
        while piece.records > 0 {
            let taken = self.batch.max_len_with(&self.resource, piece.scope);
            let capacity = Capacity {
                records: self.config.max_batch_records.saturating_sub(self.batch.records()),
                bytes: self.max_bytes().saturating_sub(taken),
            };
            let framed = &chunk.bytes()[piece.framed.clone()];
            let mut part = capacity.take(piece.records, framed);
            if part.records == 0 {
                if !self.batch.is_empty() {
                    if !self.send_batch() {
                        return false;
                    }
                    continue;
                }
                // The queue truncated records that exceed a request. Should one still do so, send
                // it alone.
                part = Capacity { records: 1, bytes: usize::MAX }.take(piece.records, framed);
            }
            let end = piece.framed.start + part.bytes;
            let framed = piece.framed.start..end;
            self.batch.add(chunk, &Piece { records: part.records, framed, ..piece });
            piece.records -= part.records;
            piece.first += part.records;
            piece.framed.start = end;
        }
        self.batch.records() < self.config.max_batch_records || self.send_batch()
    }

    /// The most bytes of a request: the configured limit or that of the receiver, or those at which a
    /// request is sent.
    fn max_bytes(&self) -> usize {
        self.queue.max_request(self.config.max_request_bytes).min(self.config.batch_bytes)
    }

    /// Sends the batch. False if the worker was abandoned.
    fn send_batch(&mut self) -> bool {
        if self.batch.is_empty() {
            return true;
        }
        if let Some(spool) = self.queue.pool.spool() {
            spool.before_request();
        }
        let request = self.batch.finish(&self.resource, self.senders.take_spare());
        self.senders.send(request)
    }
}

/// The records and bytes that a batch can still take, or that are taken from a piece.
struct Capacity {
    records: usize,
    bytes: usize,
}

impl Capacity {
    /// The longest run of records, from the first one, that fits.
    fn take(&self, records: usize, framed: &[u8]) -> Self {
        if records <= self.records && framed.len() <= self.bytes {
            return Self { records, bytes: framed.len() };
        }
        let mut part = Self { records: 0, bytes: 0 };
        let mut fields = Fields::of(framed);
        while part.records < self.records.min(records) {
            // One field, tag and length included, is one record.
            let Ok(Some(_)) = fields.next() else { break };
            let end = framed.len() - fields.rest().len();
            if end > self.bytes {
                break;
            }
            part = Self { records: part.records + 1, bytes: end };
        }
        part
    }
}
