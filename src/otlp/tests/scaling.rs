//! How much two threads get through compared with one. A measurement, not a test:
//! `cargo test --release --lib scaling -- --ignored --nocapture`

use std::time::{Duration, Instant};

use super::stage::*;
use crate::otlp::pipeline::{Pipeline, Settings};
use crate::record::Target;

const RECORD: [u8; 400] = [b'x'; 400];

/// What encoding takes: threads that did nothing but push would measure the memory bus.
fn work(units: u64) {
    for unit in 0..units {
        std::hint::black_box(unit);
    }
}

/// Nanoseconds that this thread has been on a processor. Unlike the wall clock, it does not count
/// what the worker and the neighbours take; unlike sleeping on a lock, spinning and missing caches show.
fn on_processor() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or_default()
}

/// Records a second, and processor time per record on the emitting threads.
fn throughput(threads: u64, units: u64) -> (f64, f64) {
    const EACH: u64 = 500_000;
    // Room for all of it: on a machine of two cores the worker has none left when two threads emit,
    // and records that are dropped cost nothing.
    let settings =
        Settings { max_batch_records: 8192, memory_limit_bytes: 1 << 30, ..Settings::default() };
    let pipeline = Pipeline::start(settings, scripted(|_, _| accepted(0))).unwrap();
    let begun = Instant::now();
    let busy = std::sync::Mutex::new(0.0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let before = on_processor();
                for _ in 0..EACH {
                    if pipeline.queue().admit() {
                        work(units);
                        pipeline.queue().push(Target::Static("scaling"), &RECORD);
                    }
                }
                *busy.lock().unwrap() += on_processor() - before;
            });
        }
    });
    let elapsed = begun.elapsed();
    let stats = pipeline.shutdown(Duration::from_secs(60)).stats;
    let all = (threads * EACH) as f64;
    assert_eq!(stats.delivered, threads * EACH, "{stats:?}");
    (all / elapsed.as_secs_f64(), busy.into_inner().unwrap() / all)
}

#[test]
#[ignore = "a measurement"]
fn scaling() {
    for units in [0, 100, 300] {
        for _ in 0..3 {
            let (one, busy_one) = throughput(1, units);
            let (two, busy_two) = throughput(2, units);
            println!(
                "work {units}: one {:.0} ns a record, two {:.0} ns: {:.2} times; \
                 on the processor {busy_one:.0} and {busy_two:.0} ns: {:.2} times",
                1e9 / one,
                1e9 / two,
                two / one,
                2.0 * busy_one / busy_two,
            );
        }
    }
}
