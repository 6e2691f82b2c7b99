//! What is delivered, in which order, in which requests, and when.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::fixture::*;
use crate::otlp::config::Config;
use crate::otlp::deliver::reporter::{Loss, OnLoss};
use crate::otlp::pipeline::Pipeline;
use crate::otlp::transport::Answer;
use crate::record::Target;

#[test]
fn flush_delivers_what_was_pushed_before() {
    let taken = Taken::default();
    let settings = Config { schedule_delay: LONG, ..quick() };
    let pipeline = Pipeline::start(settings, taken.transport()).unwrap();
    emit(&pipeline, "one");
    emit_to(&pipeline, Target::Borrowed("run time"), "two");
    emit_to(&pipeline, Target::Borrowed("run time"), "three");
    emit_to(&pipeline, Target::Borrowed("other"), "four");
    emit(&pipeline, "five");
    pipeline.flush(LONG).unwrap();
    let mut records: Vec<_> =
        taken.records().into_iter().map(|(scope, record)| (scope, text_of(&record))).collect();
    records.sort();
    let expected =
        [("other", "four"), ("run time", "three"), ("run time", "two"), ("test", "five"), ("test", "one")];
    assert_eq!(records, expected.map(|(scope, body)| (scope.to_owned(), body.to_owned())));
    let stats = pipeline.stats();
    assert_eq!((stats.emitted, stats.delivered, stats.pending, stats.batches), (5, 5, 0, 1));
    assert_eq!(stats.sent_bytes, taken.sizes().iter().sum::<usize>() as u64);
}

#[test]
fn age_and_count_deliver_without_a_flush() {
    for (delay, count) in [(Duration::from_millis(5), 1000), (LONG, 4)] {
        let taken = Taken::default();
        let settings = Config { schedule_delay: delay, max_batch_records: count, ..quick() };
        let pipeline = Pipeline::start(settings, taken.transport()).unwrap();
        for _ in 0..4 {
            emit(&pipeline, "x");
        }
        let begun = Instant::now();
        while pipeline.stats().delivered < 4 {
            assert!(begun.elapsed() < LONG);
            std::thread::yield_now();
        }
    }
}

/// Guarantees: the records of each thread arrive in its order, whatever the sizes of batches and
/// chunks.
#[test]
fn each_threads_order_is_kept() {
    let taken = Taken::default();
    let settings = Config { max_batch_records: 37, max_request_bytes: 6_000, ..quick() };
    let pipeline = Pipeline::start(settings, taken.transport()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let pipeline = &pipeline;
            scope.spawn(move || {
                for number in 0..5_000 {
                    emit(pipeline, &format!("{thread} {number}"));
                }
            });
        }
    });
    pipeline.flush(LONG).unwrap();
    let mut next = [0; 4];
    for body in taken.bodies() {
        let (thread, number) = body.split_once(' ').unwrap();
        let thread: usize = thread.parse().unwrap();
        assert_eq!(number.parse::<u32>().unwrap(), next[thread]);
        next[thread] += 1;
    }
    assert_eq!(next, [5_000; 4]);
    assert!(taken.sizes().iter().all(|size| *size <= 6_000), "{:?}", taken.sizes());
}

/// Scenario: 511 small records and one of 8 MiB, with a limit of 4 MiB.
///
/// Guarantees: 512 arrive, the large value is truncated on a character boundary and counted, no
/// request exceeds the limit.
#[test]
fn one_that_is_too_large_is_cut() {
    let taken = Taken::default();
    let pipeline = Pipeline::start(Config::default(), taken.transport()).unwrap();
    let large = "é€".repeat((8 << 20) / 5);
    for number in 0..512 {
        emit(&pipeline, if number == 300 { &large } else { "small" });
    }
    pipeline.flush(LONG).unwrap();
    let bodies = taken.bodies();
    assert_eq!(bodies.len(), 512);
    assert_eq!(bodies.iter().filter(|body| *body == "small").count(), 511);
    let cut = bodies.iter().max_by_key(|body| body.len()).unwrap();
    assert!(large.starts_with(cut.as_str()) && cut.len() > (4 << 20) - 8192, "{}", cut.len());
    assert!(taken.sizes().iter().all(|size| *size <= 4 << 20), "{:?}", taken.sizes());
    let stats = pipeline.stats();
    assert_eq!((stats.delivered, stats.truncated_values, stats.dropped()), (512, 1, 0));
}

#[test]
fn the_same_bytes_are_sent_again() {
    let taken = Taken::default();
    let keep = taken.clone();
    let pipeline = Pipeline::start(
        quick(),
        scripted(move |call, request| {
            keep.keep(request);
            match call {
                0 => again(None),
                1 => again(Some(Duration::from_millis(3))),
                _ => accepted(0),
            }
        }),
    )
    .unwrap();
    emit(&pipeline, "x");
    pipeline.flush(LONG).unwrap();
    assert_eq!(taken.bodies(), ["x"; 3]);
    let stats = pipeline.stats();
    assert_eq!((stats.delivered, stats.retries, stats.batches), (1, 2, 1));
}

#[test]
fn each_outcome_has_its_count() {
    let pipeline = Pipeline::start(
        Config { max_batch_records: 1, retry_max_elapsed: Some(Duration::from_millis(20)), ..quick() },
        scripted(|_, request| match request.len() % 4 {
            0 => accepted(0),
            1 => accepted(7),
            2 => Answer::Refused { why: "no".into() },
            _ => again(None),
        }),
    )
    .unwrap();
    for len in 1..=40 {
        emit(&pipeline, &"x".repeat(len));
    }
    assert!(pipeline.flush(LONG).unwrap_err().is_delivery());
    let stats = pipeline.stats();
    assert_eq!(
        (stats.delivered, stats.rejected, stats.dropped_refused, stats.dropped_gave_up),
        (10, 10, 10, 10)
    );
    assert_adds_up(&stats);
}

#[test]
fn a_transport_that_panics_loses_its_request_only() {
    let pipeline = Pipeline::start(
        quick(),
        scripted(|call, _| if call == 0 { panic!("on purpose") } else { accepted(0) }),
    )
    .unwrap();
    emit(&pipeline, "x");
    assert!(pipeline.flush(LONG).is_err());
    emit(&pipeline, "y");
    pipeline.flush(LONG).unwrap();
    let stats = pipeline.stats();
    assert_eq!((stats.delivered, stats.dropped_refused), (1, 1));
}

/// Guarantees: flush and shutdown return although the transport does not; its records are counted
/// once, even if it succeeds afterwards.
#[test]
fn deadlines_hold_with_a_transport_that_hangs() {
    let (door, taken) = (Door::default(), Taken::default());
    let pipeline = Pipeline::start(quick(), door.transport(&taken)).unwrap();
    emit(&pipeline, "in flight");
    door.wait_for_visitor();
    emit(&pipeline, "queued");
    let begun = Instant::now();
    assert!(pipeline.flush(Duration::from_millis(30)).unwrap_err().is_delivery());
    assert_eq!(pipeline.stats().pending, 2);
    let report = pipeline.shutdown(Duration::from_millis(30));
    assert!(begun.elapsed() < LONG);
    assert!(!report.is_complete);
    emit(&pipeline, "late");
    let stats = pipeline.stats();
    assert_eq!((stats.emitted, stats.dropped_shutdown, stats.pending), (3, 3, 0));
    door.open();
    while taken.bodies().is_empty() {
        std::thread::yield_now();
    }
    drop(pipeline);
    assert_eq!(taken.bodies(), ["in flight"]);
}

#[test]
fn shutdown_delivers_and_then_only_counts() {
    let taken = Taken::default();
    let settings = Config { schedule_delay: LONG, ..quick() };
    let pipeline = Pipeline::start(settings, taken.transport()).unwrap();
    emit(&pipeline, "x");
    let report = pipeline.shutdown(LONG);
    assert!(report.is_complete);
    assert_eq!((report.stats.delivered, report.stats.pending), (1, 0), "{report}");
    emit(&pipeline, "y");
    push(&pipeline, Target::Static("test"), &record("z"));
    pipeline.queue().counters.emitted(1);
    assert!(pipeline.flush(LONG).is_err());
    assert!(pipeline.shutdown(LONG).is_complete);
    let stats = pipeline.stats();
    assert_eq!((stats.dropped_shutdown, stats.delivered), (2, 1));
    assert_adds_up(&stats);
}

/// Scenario: shutdown while a request waits a minute for its retry.
///
/// Guarantees: our own backoff is shortened for one more attempt; a wait that the receiver asked
/// for and that exceeds the deadline is given up.
#[test]
fn shutdown_does_not_sit_out_a_wait() {
    for (asked, delivered) in [(None, 1), (Some(2 * LONG), 0)] {
        let settings = Config { retry_first: 2 * LONG, retry_longest: 2 * LONG, ..quick() };
        let (sent, was_sent) = std::sync::mpsc::channel();
        let pipeline = Pipeline::start(
            settings,
            scripted(move |call, _| {
                let _ = sent.send(());
                if call == 0 {
                    again(asked)
                } else {
                    accepted(0)
                }
            }),
        )
        .unwrap();
        emit(&pipeline, "x");
        was_sent.recv().unwrap();
        let begun = Instant::now();
        // The second case needs a deadline, as it is noticed only once the wait has begun.
        let report = pipeline.shutdown(if asked.is_some() { Duration::from_secs(1) } else { LONG });
        assert!(begun.elapsed() < LONG);
        assert_eq!(report.stats.delivered, delivered, "{report}");
        assert_eq!(report.stats.dropped_shutdown, 1 - delivered, "{report}");
    }
}

/// Scenario: the receiver is away when a shutdown begins, and back before its deadline, but the next attempt
/// would come later.
///
/// Guarantees: there is one more attempt before the deadline.
#[test]
fn a_shutdown_tries_once_more_before_its_deadline() {
    let settings = Config { retry_first: LONG, retry_longest: LONG, ..quick() };
    let (sent, was_sent) = std::sync::mpsc::channel();
    let transport = scripted(move |call, _| {
        let _ = sent.send(());
        // The first attempt, and the one that the shutdown brings forward.
        if call < 2 {
            again(None)
        } else {
            accepted(0)
        }
    });
    let pipeline = Pipeline::start(settings, transport).unwrap();
    emit(&pipeline, "x");
    was_sent.recv().unwrap();
    let report = pipeline.shutdown(Duration::from_secs(2));
    assert_eq!((report.stats.delivered, report.stats.dropped_shutdown), (1, 0), "{report}");
}

#[test]
fn dropping_the_last_handle_delivers() {
    let taken = Taken::default();
    let settings = Config { schedule_delay: LONG, ..quick() };
    let pipeline = Pipeline::start(settings, taken.transport()).unwrap();
    let clone = pipeline.clone();
    emit(&clone, "x");
    drop(pipeline);
    assert!(taken.sizes().is_empty());
    drop(clone);
    assert_eq!(taken.bodies(), ["x"]);
}

#[tokio::test(flavor = "current_thread")]
async fn works_from_a_current_thread_runtime() {
    let taken = Taken::default();
    let pipeline = Pipeline::start(quick(), taken.transport()).unwrap();
    emit(&pipeline, "x");
    pipeline.flush(LONG).unwrap();
    emit(&pipeline, "y");
    assert!(pipeline.shutdown(LONG).is_complete);
    assert_eq!(taken.bodies(), ["x", "y"]);
}

#[test]
fn unusable_settings_are_refused() {
    let start = |settings| Pipeline::start(settings, Taken::default().transport());
    assert!(start(Config { max_request_bytes: 100, ..quick() }).unwrap_err().is_setting());
    assert!(start(Config { memory_limit_bytes: 100, ..quick() }).unwrap_err().is_setting());
    assert!(start(Config { max_batch_records: 0, ..quick() }).unwrap_err().is_setting());
}

/// Guarantees: the worker runs under telemetry suppression.
#[test]
fn what_a_transport_logs_goes_nowhere() {
    let (say, said) = std::sync::mpsc::channel();
    let pipeline = Pipeline::start(
        quick(),
        scripted(move |_, _| {
            let is_none = tracing::dispatcher::get_default(|dispatch| {
                dispatch.is::<tracing::subscriber::NoSubscriber>()
            });
            let suppressed = opentelemetry::Context::is_current_telemetry_suppressed();
            let _ = say.send((is_none, suppressed, std::thread::current().name().map(str::to_owned)));
            accepted(0)
        }),
    )
    .unwrap();
    emit(&pipeline, "x");
    assert_eq!(said.recv().unwrap(), (true, true, Some("spanlog-otlp".to_owned())));
}

/// Scenario: a receiver, or the proxy in front of it, takes requests up to some size.
///
/// Guarantees: a request that is too large is sent in halves, down to one record, and later ones are
/// not as large. A record that is too large by itself is refused, and nothing else is lost.
#[test]
fn a_request_that_is_too_large_for_the_receiver_is_sent_in_parts() {
    const LIMIT: usize = 40_000;
    let taken = Taken::default();
    let keep = taken.clone();
    let too_large = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&too_large);
    let pipeline = Pipeline::start(
        Config { max_batch_records: 1_000, ..quick() },
        scripted(move |_, request| {
            if request.len() > LIMIT {
                count.fetch_add(1, Ordering::Relaxed);
                return Answer::TooLarge { why: "413".into() };
            }
            keep.keep(request);
            accepted(0)
        }),
    )
    .unwrap();
    for round in 0..10 {
        for number in 0..500 {
            let target = if number % 2 == 0 { Target::Static("even") } else { Target::Static("odd") };
            emit_to(&pipeline, target, &format!("{round} {number} {}", "x".repeat(300)));
        }
        pipeline.flush(LONG).unwrap();
    }
    assert_eq!(taken.bodies().len(), 5_000);
    assert_eq!(taken.bodies().iter().collect::<std::collections::HashSet<_>>().len(), 5_000);
    // The limit is found with the first request, and no request is sent again that is larger.
    assert!(too_large.load(Ordering::Relaxed) <= 3, "{too_large:?}");
    emit(&pipeline, &"x".repeat(LIMIT));
    emit(&pipeline, "small");
    assert!(pipeline.flush(LONG).unwrap_err().is_delivery());
    let stats = pipeline.stats();
    assert_eq!((stats.delivered, stats.dropped_refused), (5_001, 1));
    assert_adds_up(&stats);
}

/// Guarantees: a receiver that asks for a long wait is away, and nothing is lost for it, even if the
/// user has limited the retries: one more attempt is made at the limit.
#[test]
fn a_long_retry_after_is_an_outage_and_no_loss() {
    for limit in [None, Some(Duration::from_millis(300))] {
        let pipeline = Pipeline::start(
            Config { retry_max_elapsed: limit, ..quick() },
            scripted(move |call, _| match call {
                0 if limit.is_some() => again(Some(Duration::from_secs(360))),
                0 => again(Some(Duration::from_millis(20))),
                _ => accepted(0),
            }),
        )
        .unwrap();
        emit(&pipeline, "x");
        pipeline.flush(LONG).unwrap();
        assert_eq!(pipeline.stats().delivered, 1);
    }
}

/// Guarantees: a loss is an error of the next flush, whenever it happened, and of that one only.
#[test]
fn a_flush_is_an_error_after_any_loss() {
    let pipeline = Pipeline::start(
        Config { max_batch_records: 1, ..quick() },
        scripted(|call, _| match call {
            0 => Answer::Refused { why: "no".into() },
            _ => accepted(0),
        }),
    )
    .unwrap();
    emit(&pipeline, "lost");
    while pipeline.stats().dropped_refused == 0 {
        std::thread::yield_now();
    }
    emit(&pipeline, "delivered");
    let error = pipeline.flush(LONG).unwrap_err();
    assert!(error.to_string().contains("1 log records and 0 spans were lost"), "{error}");
    emit(&pipeline, "delivered, too");
    pipeline.flush(LONG).unwrap();
}

/// Guarantees: each loss is passed to the callback with its reason and count.
#[test]
fn losses_are_told_to_the_callback() {
    let told = Arc::new(std::sync::Mutex::new(Vec::new()));
    let keep = Arc::clone(&told);
    let on_loss = OnLoss(Arc::new(move |loss: &Loss| keep.lock().unwrap().push(loss.clone())));
    let pipeline = Pipeline::start(
        Config { max_batch_records: 1, on_loss: Some(on_loss), ..quick() },
        scripted(|_, request| match request.len() % 2 {
            0 => accepted(1),
            _ => Answer::Refused { why: "no".into() },
        }),
    )
    .unwrap();
    emit(&pipeline, "x");
    emit(&pipeline, "xx");
    assert!(pipeline.flush(LONG).is_err());
    let mut told: Vec<_> = told.lock().unwrap().iter().map(|loss| (loss.reason, loss.count)).collect();
    told.sort_unstable();
    assert_eq!(told, [("dropped_refused", 1), ("rejected", 1)]);
}

/// Guarantees: a callback that panics ends nothing, and the next request is sent.
#[test]
fn a_callback_that_panics_stops_no_delivery() {
    let on_loss = OnLoss(Arc::new(|_: &Loss| panic!("in the callback")));
    let pipeline = Pipeline::start(
        Config { max_batch_records: 1, on_loss: Some(on_loss), ..quick() },
        scripted(|call, _| match call {
            0 => Answer::Refused { why: "no".into() },
            _ => accepted(0),
        }),
    )
    .unwrap();
    emit(&pipeline, "lost");
    assert!(pipeline.flush(LONG).is_err());
    emit(&pipeline, "delivered");
    pipeline.flush(LONG).unwrap();
    assert_eq!((pipeline.stats().dropped_refused, pipeline.stats().delivered), (1, 1));
}

/// Guarantees: what the shutdown itself loses is passed to the callback before it returns.
#[test]
fn losses_of_the_shutdown_are_told_before_it_returns() {
    let told = Arc::new(std::sync::Mutex::new(0));
    let keep = Arc::clone(&told);
    let on_loss = OnLoss(Arc::new(move |loss: &Loss| *keep.lock().unwrap() += loss.count));
    let pipeline = Pipeline::start(
        Config { on_loss: Some(on_loss), ..quick() },
        scripted(|_, _| {
            std::thread::sleep(Duration::from_millis(500));
            again(None)
        }),
    )
    .unwrap();
    for _ in 0..5 {
        emit(&pipeline, "x");
    }
    let report = pipeline.shutdown(Duration::from_millis(50));
    assert_eq!((report.stats.lost(), *told.lock().unwrap()), (5, 5));
}

/// Guarantees: memory that a batch waits in is freed by sending it, long before the schedule delay.
#[test]
fn a_batch_is_sent_when_memory_is_short() {
    let settings =
        Config { memory_limit_bytes: 256 * 1024, schedule_delay: Duration::from_secs(600), ..quick() };
    let pipeline =
        Pipeline::start(Config { max_batch_records: 100_000, ..settings }, scripted(|_, _| accepted(0)))
            .unwrap();
    for _ in 0..100 {
        emit(&pipeline, &"x".repeat(10_000));
        let begun = std::time::Instant::now();
        // The worker needs a moment for what it was woken for.
        while pipeline.stats().pending > 16 {
            assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", pipeline.stats());
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    assert_eq!(pipeline.stats().dropped(), 0);
    pipeline.flush(LONG).unwrap();
    assert_eq!(pipeline.stats().delivered, 100);
}

/// Guarantees: an answer that accepts everything, with a warning, counts as no loss.
#[test]
fn a_warning_is_no_loss() {
    let answer = || Answer::Accepted { rejected: 0, message: "deprecated".into() };
    let pipeline = Pipeline::start(quick(), scripted(move |_, _| answer())).unwrap();
    emit(&pipeline, "x");
    pipeline.flush(LONG).unwrap();
    assert_eq!((pipeline.stats().delivered, pipeline.stats().lost()), (1, 0));
}
