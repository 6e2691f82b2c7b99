//! Several requests in flight at once, and one by default.

use std::collections::HashSet;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::fixture::*;
use crate::otlp::config::Config;
use crate::otlp::pipeline::Pipeline;
use crate::otlp::transport::Transport;

/// A receiver that answers only once it has a given number of requests at the same time.
#[derive(Clone)]
struct Gathering(Arc<(Mutex<Seen>, Condvar)>);

#[derive(Default)]
struct Seen {
    wanted: usize,
    now: usize,
    most: usize,
}

impl Gathering {
    fn of(wanted: usize) -> Self {
        Self(Arc::new((Mutex::new(Seen { wanted, ..Seen::default() }), Condvar::new())))
    }

    fn most(&self) -> usize {
        self.0 .0.lock().unwrap().most
    }

    fn transport(&self) -> Box<dyn Transport> {
        let this = self.clone();
        scripted(move |_, _| {
            let (seen, changed) = &*this.0;
            let mut seen = seen.lock().unwrap();
            seen.now += 1;
            seen.most = seen.most.max(seen.now);
            changed.notify_all();
            let waited = changed.wait_timeout_while(seen, LONG, |seen| seen.most < seen.wanted).unwrap();
            assert!(!waited.1.timed_out(), "never as many at once");
            let mut seen = waited.0;
            seen.now -= 1;
            accepted(0)
        })
    }
}

/// One record in each request.
fn singly() -> Config {
    Config { max_batch_records: 1, ..quick() }
}

fn start(settings: Config, senders: usize, transport: impl Fn() -> Box<dyn Transport>) -> Pipeline {
    Pipeline::start_with(settings, (0..senders).map(|_| transport()).collect(), None).unwrap()
}

#[test]
fn as_many_requests_are_on_their_way_as_were_asked_for() {
    let gathering = Gathering::of(4);
    let pipeline = start(singly(), 4, || gathering.transport());
    for number in 0..40 {
        emit(&pipeline, &number.to_string());
    }
    pipeline.flush(LONG).unwrap();
    assert_eq!(gathering.most(), 4);
    assert_eq!((pipeline.stats().delivered, pipeline.stats().batches), (40, 40));
}

#[test]
fn by_default_it_is_one() {
    let gathering = Gathering::of(1);
    let pipeline = Pipeline::start(singly(), gathering.transport()).unwrap();
    for number in 0..40 {
        emit(&pipeline, &number.to_string());
    }
    pipeline.flush(LONG).unwrap();
    assert_eq!((gathering.most(), pipeline.stats().batches), (1, 40));
}

/// A transport that wants retries of requests with this text until the door is open, and accepts
/// the others.
fn stuck_on(text: &'static str, is_open: &Arc<Mutex<bool>>, taken: &Taken) -> Box<dyn Transport> {
    let (is_open, taken) = (Arc::clone(is_open), taken.clone());
    scripted(move |_, request| {
        let is_stuck = request.windows(text.len()).any(|window| window == text.as_bytes());
        if is_stuck && !*is_open.lock().unwrap() {
            return again(None);
        }
        taken.keep(request);
        accepted(0)
    })
}

/// Guarantees: while one request is retried, the others are delivered, flushes that wait for it
/// keep their deadline, and it is delivered when that becomes possible.
#[test]
fn one_that_is_tried_again_stops_no_other() {
    let (is_open, taken) = (Arc::new(Mutex::new(false)), Taken::default());
    let pipeline = start(singly(), 2, || stuck_on("stuck", &is_open, &taken));
    emit(&pipeline, "stuck");
    while pipeline.stats().retries == 0 {
        std::thread::yield_now();
    }
    for round in 1..=20 {
        emit(&pipeline, &format!("other {round}"));
        // The flush cannot complete, but what came before it is sent meanwhile.
        assert!(pipeline.flush(Duration::from_millis(1)).unwrap_err().is_delivery());
        while pipeline.stats().delivered < round {
            std::thread::yield_now();
        }
    }
    let stats = pipeline.stats();
    assert_eq!((stats.delivered, stats.pending), (20, 1));
    *is_open.lock().unwrap() = true;
    pipeline.flush(LONG).unwrap();
    assert_eq!(taken.bodies().len(), 21);
    assert_eq!(pipeline.stats().pending, 0);
}

/// Guarantees: a flush is done when all requests before it have ended, whatever comes later.
#[test]
fn a_flush_does_not_wait_for_what_came_later() {
    let (is_open, taken) = (Arc::new(Mutex::new(false)), Taken::default());
    let first = Door::default();
    let pipeline = {
        let (first, is_open, taken) = (first.clone(), is_open.clone(), taken.clone());
        start(singly(), 2, move || {
            let (first, mut stuck) = (first.clone(), stuck_on("later", &is_open, &taken));
            scripted(move |_, request| {
                if request.windows(5).any(|window| window == b"first") {
                    first.pass();
                }
                stuck.send(&mut request.to_vec().into(), std::time::Instant::now())
            })
        })
    };
    emit(&pipeline, "first");
    first.wait_for_visitor();
    std::thread::scope(|scope| {
        let flush = scope.spawn(|| pipeline.flush(LONG));
        // Until the worker has sent everything for it, which is visible nowhere else.
        while !format!("{:?}", pipeline.queue().control).contains("flush_sent: 1") {
            std::thread::yield_now();
        }
        emit(&pipeline, "later");
        while pipeline.stats().retries == 0 {
            std::thread::yield_now();
        }
        assert!(!flush.is_finished());
        first.open();
        flush.join().unwrap().unwrap();
    });
    assert_eq!(taken.bodies(), ["first"]);
    *is_open.lock().unwrap() = true;
    assert!(pipeline.shutdown(LONG).is_complete);
}

/// Guarantees: flush and shutdown return although no sender does; their records are counted once,
/// and what they deliver afterwards changes nothing.
#[test]
fn deadlines_hold_where_all_of_them_hang() {
    let (door, taken) = (Door::default(), Taken::default());
    let pipeline = start(singly(), 3, || door.transport(&taken));
    for number in 0..10 {
        emit(&pipeline, &number.to_string());
    }
    door.wait_for_visitor();
    assert!(pipeline.flush(Duration::from_millis(30)).unwrap_err().is_delivery());
    assert_eq!(pipeline.stats().pending, 10);
    let report = pipeline.shutdown(Duration::from_millis(30));
    assert!(!report.is_complete);
    let stats = report.stats;
    assert_eq!((stats.emitted, stats.dropped_shutdown, stats.pending), (10, 10, 0));
    door.open();
    while taken.bodies().is_empty() {
        std::thread::yield_now();
    }
    assert_eq!(pipeline.stats(), stats);
}

/// Guarantees: requests in flight are charged to the memory limit, and released in full.
#[test]
fn what_is_on_its_way_counts_against_the_memory_limit() {
    const LIMIT: usize = 256 * 1024;
    let (door, taken) = (Door::default(), Taken::default());
    let settings = Config { memory_limit_bytes: LIMIT, max_batch_records: 32, ..quick() };
    let pipeline = start(settings, 4, || door.transport(&taken));
    let body = "x".repeat(1_000);
    for _ in 0..4_000 {
        emit(&pipeline, &body);
    }
    let stats = pipeline.stats();
    assert!(stats.dropped_queue_full > 0 && stats.pending >= 4 * 32, "{stats:?}");
    assert!(stats.pending as usize * body.len() <= LIMIT, "{stats:?}");
    door.open();
    pipeline.flush(LONG).unwrap_err();
    assert_eq!(pipeline.stats().delivered, stats.pending);
    // The worker releases the leases of shards when they are empty.
    pipeline.flush(LONG).unwrap();
    assert_eq!(pipeline.queue().budget.available(), LIMIT);
}

/// Guarantees: within a request the records of a thread are in its order; none is missing or
/// doubled.
#[test]
fn order_is_kept_within_a_request() {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let settings = Config { max_batch_records: 37, ..quick() };
    let pipeline = start(settings, 4, || {
        let requests = Arc::clone(&requests);
        scripted(move |_, request| {
            let taken = Taken::default();
            taken.keep(request);
            requests.lock().unwrap().push(taken.bodies());
            accepted(0)
        })
    });
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let pipeline = &pipeline;
            scope.spawn(move || {
                for number in 0..3_000 {
                    emit(pipeline, &format!("{thread} {number}"));
                }
            });
        }
    });
    pipeline.flush(LONG).unwrap();
    let mut all = HashSet::new();
    for request in requests.lock().unwrap().iter() {
        let mut last = [None; 4];
        for body in request {
            let (thread, number) = body.split_once(' ').unwrap();
            let (thread, number): (usize, u32) = (thread.parse().unwrap(), number.parse().unwrap());
            assert!(last[thread] < Some(number), "{request:?}");
            last[thread] = Some(number);
            assert!(all.insert(body.clone()), "{body} twice");
        }
    }
    assert_eq!(all.len(), 12_000);
}

#[test]
fn a_transport_that_panics_leaves_its_lane_usable() {
    let pipeline =
        start(singly(), 2, || scripted(|call, _| if call == 0 { panic!("on purpose") } else { accepted(0) }));
    for number in 0..20 {
        emit(&pipeline, &number.to_string());
    }
    let _ = pipeline.flush(LONG);
    let stats = pipeline.stats();
    assert_eq!((stats.delivered + stats.dropped_refused, stats.pending), (20, 0));
    assert!((1..=2).contains(&stats.dropped_refused), "{stats:?}");
    assert!(pipeline.shutdown(LONG).is_complete);
}
