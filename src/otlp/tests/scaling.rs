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

/// Records a second, and which part of them was dropped.
fn throughput(threads: u64, units: u64) -> (f64, f64) {
    const EACH: u64 = 2_000_000;
    let settings = Settings { max_batch_records: 8192, ..Settings::default() };
    let pipeline = Pipeline::start(settings, scripted(|_, _| accepted(0))).unwrap();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for _ in 0..EACH {
                    if pipeline.queue().admit() {
                        work(units);
                        pipeline.queue().push(Target::Static("scaling"), &RECORD);
                    }
                }
            });
        }
    });
    let elapsed = begun.elapsed();
    let stats = pipeline.shutdown(Duration::from_secs(60)).stats;
    let all = (threads * EACH) as f64;
    (all / elapsed.as_secs_f64(), stats.dropped() as f64 / all)
}

#[test]
#[ignore = "a measurement"]
fn scaling() {
    for units in [0, 100, 300] {
        for _ in 0..3 {
            let (one, dropped_one) = throughput(1, units);
            let (two, dropped_two) = throughput(2, units);
            println!(
                "work {units}: one {:.0} ns a record ({:.0} % dropped), two {:.0} ns ({:.0} %): {:.2} times",
                1e9 / one,
                dropped_one * 100.0,
                1e9 / two,
                dropped_two * 100.0,
                two / one
            );
        }
    }
}
