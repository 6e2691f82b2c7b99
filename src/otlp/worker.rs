//! Makes requests of what is queued and sees them through, on a thread of its own.
//!
//! Between the queue and the transport in the walk. The thread is under no subscriber and under
//! telemetry suppression: what a transport or a library below it logs never becomes a record.

use std::mem;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use opentelemetry::Context;

use super::chunk::{Chunk, Piece};
use super::control::{Order, Standing};
use super::pipeline::Settings;
use super::queue::Queue;
use super::request::Batch;
use super::retry::Backoff;
use super::shrink::varint;
use super::sync::after;
use super::transport::{Answer, Transport};
use crate::diagnostics::report_once;
use crate::Error;

/// Starts the thread. It ends after a shutdown.
pub(crate) fn start(
    queue: Arc<Queue>,
    settings: Settings,
    transport: Box<dyn Transport>,
) -> Result<(), Error> {
    let worker = Worker {
        transport,
        settings,
        batch: Batch::default(),
        batch_bytes: 0,
        said: Said::default(),
        _end: End(Arc::clone(&queue)),
        queue,
    };
    let run = || {
        // What the transport logs is dropped by every log layer of ours. A scoped `NoSubscriber` would
        // keep it from other layers too, but while any thread has a scoped default, tracing swallows what
        // the values of an event log, on all threads.
        let _suppressed = Context::enter_telemetry_suppressed_scope();
        worker.run();
    };
    match thread::Builder::new().name("spanlog-otlp".into()).spawn(run) {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(Error::delivery("cannot start the thread that delivers records".into()).with_source(error))
        }
    }
}

struct Worker {
    // In the order in which they are dropped: a file is closed before the end is told.
    transport: Box<dyn Transport>,
    settings: Settings,
    queue: Arc<Queue>,
    batch: Batch,
    /// What the batch's records are charged with.
    batch_bytes: usize,
    said: Said,
    _end: End,
}

/// When the worker ends, even by a panic, nothing stays behind without an outcome, and nobody waits.
struct End(Arc<Queue>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.close();
        self.0.sweep();
        self.0.control.end(&self.0.counters);
    }
}

/// What was said already. Each once: the text is partly the receiver's, and may differ each time.
#[derive(Default)]
struct Said {
    rejected: bool,
    again: bool,
    lost: bool,
}

/// What became of a request.
enum Outcome {
    Taken { rejected: u64 },
    Refused,
    GaveUp,
    Shutdown,
}

impl Worker {
    fn run(mut self) {
        let mut tick = after(self.settings.schedule_delay);
        loop {
            let order = self.queue.control.next(tick);
            let before = match order {
                Order::Stop => return,
                Order::Last => u64::MAX,
                // What threads add meanwhile is for the next time, or a flush might never end.
                Order::Full | Order::Everything { .. } => self.queue.next_ticket(),
            };
            let is_alive = self.drain(before) && (order == Order::Full || self.send_batch());
            match order {
                _ if !is_alive => return,
                Order::Last | Order::Stop => return,
                Order::Full => {}
                Order::Everything { flush } => {
                    self.queue.control.flushed(flush);
                    tick = after(self.settings.schedule_delay);
                }
            }
        }
    }

    /// Puts all chunks begun before `before` into batches, and sends those that are full. False if
    /// what the worker has was written off.
    fn drain(&mut self, before: u64) -> bool {
        loop {
            while let Some(chunk) = self.queue.take_oldest(before) {
                if !self.absorb(chunk) {
                    return false;
                }
            }
            if !self.queue.look_again(before) {
                return true;
            }
        }
    }

    fn absorb(&mut self, chunk: Chunk) -> bool {
        if !self.queue.control.hold(chunk.records as u64, &self.queue.counters) {
            return false;
        }
        let bytes = chunk.pieces().map(|piece| piece.framed.len()).sum::<usize>();
        for piece in chunk.pieces() {
            if !self.place(piece) {
                return false;
            }
        }
        // The rest was for names, runs and slack. The bytes of records are given back with their batch.
        self.queue.budget.give_back(self.queue.cost(&chunk).saturating_sub(bytes));
        self.queue.recycle(chunk);
        true
    }

    fn place(&mut self, piece: Piece<'_>) -> bool {
        let Piece { scope, mut records, mut framed } = piece;
        while records > 0 {
            let taken = self.batch.most_with(&self.settings.resource, scope);
            let room = Room {
                records: self.settings.max_batch_records.saturating_sub(self.batch.records()),
                bytes: self.settings.max_request_bytes.saturating_sub(taken),
            };
            let mut part = room.take(records, framed);
            if part.records == 0 {
                if !self.batch.is_empty() {
                    if !self.send_batch() {
                        return false;
                    }
                    continue;
                }
                // Records were cut to fit when they came. Should one not: too long is better than never.
                part = Room { records: 1, bytes: usize::MAX }.take(records, framed);
            }
            self.batch.add_framed(scope, part.records, &framed[..part.bytes]);
            self.batch_bytes += part.bytes;
            records -= part.records;
            framed = &framed[part.bytes..];
        }
        self.batch.records() < self.settings.max_batch_records || self.send_batch()
    }

    /// Sends the batch and settles its records. False if they were written off meanwhile.
    fn send_batch(&mut self) -> bool {
        if self.batch.is_empty() {
            return true;
        }
        let records = self.batch.records() as u64;
        let request = self.batch.request(&self.settings.resource);
        self.batch.clear();
        let Some(outcome) = self.deliver(&request, records) else { return false };
        let counters = &self.queue.counters;
        let is_alive = self.queue.control.settle(records, || match outcome {
            Outcome::Taken { rejected } => {
                counters.delivered(records - rejected);
                counters.rejected(rejected);
                counters.batches(1);
                counters.sent_bytes(request.len() as u64);
            }
            Outcome::Refused => {
                counters.dropped_refused(records);
                counters.batches(1);
            }
            Outcome::GaveUp => counters.dropped_gave_up(records),
            Outcome::Shutdown => counters.dropped_shutdown(records),
        });
        self.queue.budget.give_back(mem::take(&mut self.batch_bytes));
        is_alive
    }

    /// Sends the same bytes until there is an outcome. `None` if nobody wants to know it any more.
    fn deliver(&mut self, request: &[u8], records: u64) -> Option<Outcome> {
        let begun = Instant::now();
        let mut backoff = Backoff::new(self.settings.retry_first, self.settings.retry_longest);
        let mut is_again = false;
        loop {
            let standing = self.queue.control.standing();
            let mut deadline = after(self.settings.export_timeout);
            match standing {
                Standing::Abandoned => return None,
                Standing::ShuttingDown { deadline: last } if Instant::now() >= last => {
                    return Some(Outcome::Shutdown)
                }
                Standing::ShuttingDown { deadline: last } => deadline = deadline.min(last),
                Standing::Running => {}
            }
            self.queue.counters.retries(u64::from(is_again));
            let (asked, why) = match self.send(request, deadline) {
                Answer::Accepted { rejected, message } => {
                    let rejected = rejected.min(records);
                    if rejected > 0 && !mem::replace(&mut self.said.rejected, true) {
                        report_once(format_args!("the receiver rejected log records: {}", short(&message)));
                    }
                    return Some(Outcome::Taken { rejected });
                }
                Answer::Refused { why } => {
                    self.say_lost("refused", &why);
                    return Some(Outcome::Refused);
                }
                Answer::TryAgain { after, why } => (after, why),
            };
            let wait = backoff.next(asked);
            if begun.elapsed().saturating_add(wait) > self.settings.retry_max_elapsed {
                self.say_lost("given up", &why);
                return Some(Outcome::GaveUp);
            }
            if !mem::replace(&mut self.said.again, true) {
                report_once(format_args!(
                    "log records cannot be delivered now, trying again: {}",
                    short(&why)
                ));
            }
            // A shutdown that began since shortens a wait of ours, not one that the receiver asked for.
            let is_ours = asked.is_none() && standing == Standing::Running;
            let until = after(wait);
            match self.queue.control.standing() {
                Standing::ShuttingDown { deadline } if !is_ours && until >= deadline => {
                    return Some(Outcome::Shutdown)
                }
                _ => self.queue.control.pause(until, is_ours),
            }
            is_again = true;
        }
    }

    /// A transport must not panic. One that does has not delivered, and is not asked for the same again.
    fn send(&mut self, request: &[u8], deadline: Instant) -> Answer {
        let transport = &mut self.transport;
        catch_unwind(AssertUnwindSafe(|| transport.send(request, deadline)))
            .unwrap_or_else(|_| Answer::Refused { why: "the transport panicked".into() })
    }

    fn say_lost(&mut self, what: &str, why: &str) {
        if !mem::replace(&mut self.said.lost, true) {
            report_once(format_args!("log records were {what} and are lost: {}", short(why)));
        }
    }
}

/// What a batch has room for, or what of a piece goes into it.
struct Room {
    records: usize,
    bytes: usize,
}

impl Room {
    /// As many of the records, from the first one, as there is room for.
    fn take(&self, records: usize, framed: &[u8]) -> Self {
        if records <= self.records && framed.len() <= self.bytes {
            return Self { records, bytes: framed.len() };
        }
        let mut part = Self { records: 0, bytes: 0 };
        let mut rest = framed;
        while part.records < self.records.min(records) {
            let Some(behind) = behind_first(rest) else { break };
            let end = framed.len() - behind.len();
            if end > self.bytes {
                break;
            }
            part = Self { records: part.records + 1, bytes: end };
            rest = behind;
        }
        part
    }
}

/// What follows the first record.
fn behind_first(framed: &[u8]) -> Option<&[u8]> {
    let (_tag, mut rest) = framed.split_first()?;
    let len = usize::try_from(varint(&mut rest)?).ok()?;
    rest.get(len..)
}

/// The beginning of a text that is not ours.
fn short(text: &str) -> &str {
    &text[..text.floor_char_boundary(300)]
}
