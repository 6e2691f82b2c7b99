//! An event on the direct path allocates nothing once its thread is warm.
#![expect(unsafe_code, reason = "an allocator cannot be wrapped without")]
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]

#[path = "support/counting.rs"]
mod counting;
#[path = "support/spans.rs"]
mod spans;

use std::cell::Cell;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry_sdk::trace::SdkTracerProvider;
use spanlog::otlp::Pipeline;
use spanlog::{job, JobMetadata, LogLayer};
use tracing::{info, info_span};

use self::counting::{Counting, Observer};

static ALL: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static OWN: Cell<u64> = const { Cell::new(0) };
}

struct Both;

impl Observer for Both {
    fn allocated(_: usize) {
        ALL.fetch_add(1, Ordering::Relaxed);
        let _ = OWN.try_with(|own| own.set(own.get() + 1));
    }
}

#[global_allocator]
static ALLOCATOR: Counting<Both> = Counting::new();

const EVENTS: u64 = 1_000;

/// How many rounds in a row must be free of allocations, among how many at most.
const QUIET_ROUNDS: u64 = 10;
const ROUNDS: u64 = 100;

/// Logs `EVENTS` at a time until rounds are quiet, that is, without allocations on this thread. In
/// these rounds the whole process, in which the worker builds requests, must make less than one per
/// ten events: a request needs a few for 512.
fn assert_quiet(pipeline: &Pipeline, log: impl Fn(u64)) {
    let before = pipeline.stats().delivered;
    let (mut rounds, mut quiet, mut process) = (0, 0, 0);
    while quiet < QUIET_ROUNDS {
        assert!(rounds < ROUNDS, "no {QUIET_ROUNDS} rounds in a row without an allocation");
        let (own, all) = (OWN.get(), ALL.load(Ordering::Relaxed));
        (0..EVENTS).for_each(&log);
        let own = OWN.get() - own;
        pipeline.flush(Duration::from_secs(20)).unwrap();
        rounds += 1;
        (quiet, process) = match own {
            0 => (quiet + 1, process + ALL.load(Ordering::Relaxed) - all),
            _ => (0, 0),
        };
    }
    assert!(process < QUIET_ROUNDS * EVENTS / 10, "{process}");
    assert_eq!(pipeline.stats().delivered - before, rounds * EVENTS);
}

/// Scenario: rounds of events with four fields and a formatted message, in a job and two spans; and
/// of short ones, outside spans and jobs. A round in which the worker falls further behind than
/// before allocates one more chunk, which is kept: that can happen as often as a round has chunks,
/// about seven times.
///
/// Guarantees: once warm, no allocation on their thread in ten rounds.
#[test]
fn events_of_a_warm_thread_allocate_nothing() {
    let pipeline = spanlog::testing::discarding();
    let subscriber = spans::subscriber(&SdkTracerProvider::default(), LogLayer::direct(pipeline.clone()));
    tracing::dispatcher::with_default(&subscriber, || {
        job::scope(JobMetadata::new("job-1", "execution-1"), || {
            let _request = info_span!("request", method = "GET").entered();
            let _handler = info_span!("handler", user = "alice").entered();
            assert_quiet(&pipeline, |attempt| {
                info!(region = "eu-west-1", attempt, ratio = 0.5, host = "a", "connected to {attempt}");
            });
        });
        assert_quiet(&pipeline, |_| info!("connected"));
        assert_quiet(&pipeline, |attempt| info!(attempt, "connected"));
        // The check can fail: one allocation per round is too many.
        let noisy = |attempt| {
            if attempt == EVENTS / 2 {
                drop(std::hint::black_box(Box::new(attempt)));
            }
            info!(attempt, "connected");
        };
        assert!(catch_unwind(AssertUnwindSafe(|| assert_quiet(&pipeline, noisy))).is_err());
    });
}
