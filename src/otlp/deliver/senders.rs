//! Sends requests, on the worker's own thread or on a pool of threads, which have several in flight
//! at once.
//!
//! With one request at a time, the order of records is kept. A thread of the pool has a transport,
//! and so a connection, of its own: while its request waits for a retry, the others continue.

use std::sync::mpsc::{Receiver, Sender};
use std::sync::{mpsc, Arc};
use std::thread::JoinHandle;
use std::{mem, thread};

use opentelemetry::Context;

use crate::error::Error;
use crate::otlp::deliver::delivery::Delivery;
use crate::otlp::deliver::request::Request;
use crate::otlp::queue::Queue;
use crate::otlp::sync::{lock, Mutex};

pub(crate) enum Senders {
    /// The worker sends. The request is an empty one: its memory is reused for the next.
    One(Arc<Queue>, Box<Delivery>, Request),
    Many(Arc<Queue>, Threads),
}

pub(crate) struct Threads {
    /// Never holds more requests than there are threads: the worker waits for a free one first.
    requests: Sender<(Request, InFlight)>,
    threads: Vec<JoinHandle<()>>,
}

/// Marks a request as in flight until it is dropped.
struct InFlight {
    queue: Arc<Queue>,
    number: u64,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.queue.control.end_request(self.number);
    }
}

impl Senders {
    /// One sender for each of `deliveries`. Without any, nothing is ever sent.
    ///
    /// # Errors
    ///
    /// If a thread cannot be started.
    pub(crate) fn new(queue: Arc<Queue>, mut deliveries: Vec<Delivery>) -> Result<Self, Error> {
        if deliveries.len() == 1 {
            if let Some(only) = deliveries.pop() {
                return Ok(Self::One(queue, Box::new(only), Request::default()));
            }
        }
        let (requests, receiver) = mpsc::channel();
        let receiver = Arc::new(Mutex::new(receiver));
        let mut threads = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            let receiver = Arc::clone(&receiver);
            let thread = thread::Builder::new()
                .name("spanlog-otlp".into())
                .spawn(move || run(delivery, &receiver))
                .map_err(|error| {
                    Error::delivery("cannot start a thread that delivers records".into()).with_source(error)
                })?;
            threads.push(thread);
        }
        Ok(Self::Many(queue, Threads { requests, threads }))
    }

    /// An empty request to write the next one into, which may reuse memory.
    pub(crate) fn take_spare(&mut self) -> Request {
        match self {
            Self::One(_, _, spare) => mem::take(spare),
            Self::Many(..) => Request::default(),
        }
    }

    /// Sends a request, or hands it to a free thread, for which it waits. False if the worker was
    /// abandoned.
    pub(crate) fn send(&mut self, mut request: Request) -> bool {
        let (queue, max_in_flight) = match self {
            Self::One(queue, ..) => (queue, 1),
            Self::Many(queue, threads) => (queue, threads.threads.len()),
        };
        let Some(number) = queue.control.begin_request(max_in_flight, request.records()) else {
            return false;
        };
        let in_flight = InFlight { queue: Arc::clone(queue), number };
        match self {
            Self::One(_, delivery, spare) => {
                let is_alive = delivery.deliver(&mut request);
                *spare = request;
                is_alive
            }
            Self::Many(_, threads) => threads.requests.send((request, in_flight)).is_ok(),
        }
    }

    /// Waits until no request is in flight, then joins the threads. An abandoned worker does not
    /// wait, as a transport may hang.
    pub(crate) fn close(self) {
        let Self::Many(queue, Threads { requests, threads }) = self else { return };
        if !queue.control.wait_until_idle() {
            return;
        }
        drop(requests);
        for thread in threads {
            // A thread that panicked has nothing to join for.
            let _ = thread.join();
        }
    }
}

fn run(mut delivery: Delivery, receiver: &Mutex<Receiver<(Request, InFlight)>>) {
    // As on the worker's own thread.
    let _suppressed = Context::enter_telemetry_suppressed_scope();
    loop {
        // One thread waits here with the lock, the others wait for the lock: that makes no
        // difference.
        let next = lock(receiver).recv();
        let Ok((mut request, _in_flight)) = next else { return };
        delivery.deliver(&mut request);
    }
}
