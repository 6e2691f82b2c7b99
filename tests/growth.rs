//! A root span that is open for 200,000 records, entered or never entered, grows by less than 1
//! MiB.
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]
#![expect(unsafe_code, reason = "an allocator cannot be wrapped without")]

#[path = "support/capture.rs"]
mod capture;
#[path = "support/counting.rs"]
mod counting;
#[path = "support/spans.rs"]
mod spans;

use std::sync::atomic::{AtomicIsize, Ordering};

use opentelemetry_sdk::trace::SdkTracerProvider;
use spanlog::{job, JobMetadata, JobSpanProcessor, LogLayer};

use self::capture::Capture;
use self::counting::{Counting, Observer};

static LIVE: AtomicIsize = AtomicIsize::new(0);

struct Live;

impl Observer for Live {
    fn allocated(size: usize) {
        LIVE.fetch_add(size as isize, Ordering::Relaxed);
    }

    fn freed(size: usize) {
        LIVE.fetch_sub(size as isize, Ordering::Relaxed);
    }
}

#[global_allocator]
static ALLOCATOR: Counting<Live> = Counting::new();

const RECORDS: u64 = 200_000;
const MOST: isize = 1024 * 1024;

/// How many more bytes are live after the records than before, inside one job span.
fn growth(records: impl Fn(&tracing::Span)) -> isize {
    let logs = Capture::observing(|_| ()).provider();
    let traces = SdkTracerProvider::builder().with_span_processor(JobSpanProcessor::new()).build();
    let log_layer = LogLayer::new(&logs);
    let counters = log_layer.counters();
    let dispatch = spans::subscriber(&traces, log_layer);
    let growth = tracing::dispatcher::with_default(&dispatch, || {
        job::scope(JobMetadata::new("j", "e"), || {
            let root = tracing::info_span!("root", field = 1);
            // Creates what is created once.
            root.in_scope(|| tracing::info!("warm-up"));
            let before = LIVE.load(Ordering::Relaxed);
            records(&root);
            LIVE.load(Ordering::Relaxed) - before
        })
    });
    assert_eq!(counters.snapshot().delivered, RECORDS + 1);
    growth
}

fn entered(root: &tracing::Span) {
    let _entered = root.enter();
    for line in 0..RECORDS {
        tracing::info!(line, "inside");
    }
}

fn never_entered(root: &tracing::Span) {
    for line in 0..RECORDS {
        tracing::info!(parent: root, line, "explicitly");
    }
}

/// One test: the allocator counts what all threads do.
#[test]
fn a_job_span_that_is_open_for_long_does_not_grow() {
    for (how, records) in [("entered", entered as fn(&tracing::Span)), ("never entered", never_entered)] {
        let growth = growth(records);
        assert!(growth < MOST, "{how}: {growth} bytes");
    }
    // The check can fail: six bytes kept per record are too much.
    let kept = std::sync::Mutex::new(Vec::new());
    let growth = growth(|root| {
        never_entered(root);
        *kept.lock().unwrap() = vec![0_u8; RECORDS as usize * 6];
    });
    assert!(growth >= MOST, "{growth} bytes");
}
