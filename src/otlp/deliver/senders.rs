//! How many requests are on their way at once: one, or as many as there are threads for it.
//!
//! Between the worker and its deliveries in the walk. One request is sent by the worker itself, which keeps the
//! order of records. For more there is a thread each, with a transport, and so a connection, of its own: while
//! one waits to be sent again, the others go on.

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
    One(Arc<Queue>, Box<Delivery>, Spare),
    Many(Arc<Queue>, Threads),
}

/// The memory of the last request, for the next one.
#[derive(Default)]
pub(crate) struct Spare(Request);

pub(crate) struct Threads {
    /// Never holds more than there are threads: who sends asks for leave first.
    requests: Sender<(Request, InFlight)>,
    threads: Vec<JoinHandle<()>>,
}

/// Says that a request has ended, whatever ends it.
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
    /// One sender for each of `deliveries`; of none, nothing is ever sent.
    ///
    /// # Errors
    ///
    /// If a thread cannot be started.
    pub(crate) fn new(queue: Arc<Queue>, mut deliveries: Vec<Delivery>) -> Result<Self, Error> {
        if deliveries.len() == 1 {
            if let Some(only) = deliveries.pop() {
                return Ok(Self::One(queue, Box::new(only), Spare::default()));
            }
        }
        let (requests, to_come) = mpsc::channel();
        let to_come = Arc::new(Mutex::new(to_come));
        let mut threads = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            let to_come = Arc::clone(&to_come);
            let thread = thread::Builder::new()
                .name("spanlog-otlp".into())
                .spawn(move || run(delivery, &to_come))
                .map_err(|error| {
                    Error::delivery("cannot start a thread that delivers records".into()).with_source(error)
                })?;
            threads.push(thread);
        }
        Ok(Self::Many(queue, Threads { requests, threads }))
    }

    /// Memory to write the next request in, empty.
    pub(crate) fn take_spare(&mut self) -> Request {
        match self {
            Self::One(_, _, spare) => mem::take(&mut spare.0),
            Self::Many(..) => Request::default(),
        }
    }

    /// Sends a request, or waits until there is a sender that will. False if nobody waits for it any more.
    pub(crate) fn send(&mut self, mut request: Request) -> bool {
        let (queue, most) = match self {
            Self::One(queue, ..) => (queue, 1),
            Self::Many(queue, threads) => (queue, threads.threads.len()),
        };
        let Some(number) = queue.control.begin_request(most, request.records()) else { return false };
        let in_flight = InFlight { queue: Arc::clone(queue), number };
        match self {
            Self::One(_, delivery, spare) => {
                let is_alive = delivery.deliver(&mut request);
                spare.0 = request;
                is_alive
            }
            Self::Many(_, threads) => threads.requests.send((request, in_flight)).is_ok(),
        }
    }

    /// Waits until everything has end_request, and ends the threads. Where nobody waits any more they are left
    /// behind: a transport may hang.
    pub(crate) fn close(self) {
        let Self::Many(queue, Threads { requests, threads }) = self else { return };
        if !queue.control.wait_until_idle() {
            return;
        }
        drop(requests);
        for thread in threads {
            // One that panicked has nothing more to say.
            let _ = thread.join();
        }
    }
}

fn run(mut delivery: Delivery, to_come: &Mutex<Receiver<(Request, InFlight)>>) {
    // As on the worker's own thread.
    let _suppressed = Context::enter_telemetry_suppressed_scope();
    loop {
        // Who waits here keeps the others waiting for the lock, which comes to the same.
        let next = lock(to_come).recv();
        let Ok((mut request, _in_flight)) = next else { return };
        delivery.deliver(&mut request);
    }
}
