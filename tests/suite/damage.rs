//! What samplers, processors and other layers break stays contained: the next spans, records and
//! ops work.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use opentelemetry::{Context, KeyValue};
use spanlog::trace::{self, TracingTracer};
use spanlog::{job, op, JobMetadata};

use crate::fixture::capture::Capture;
use crate::fixture::spans::SamplerFn;
use crate::fixture::{each, Arrangement, Fixture, Hooks, Spans, USUAL};

/// Panics while switched on. Not by `panic!`: the message would clutter the output.
#[derive(Clone, Debug, Default)]
struct Fragile(Arc<AtomicBool>);

impl Fragile {
    fn breaks(&self) {
        if self.0.load(Ordering::Relaxed) {
            std::panic::resume_unwind(Box::new("broken"));
        }
    }
}

/// Guarantees: everything that starts after the damage works.
fn assert_works(fixture: &Fixture) {
    for _ in 0..10 {
        job::scope(JobMetadata::new("j", "e"), || {
            let span = tracing::info_span!("after");
            span.in_scope(|| tracing::warn!("in after"));
            assert!(fixture.ids_of(&span).is_some());
            op::run("t", "after", [], || {
                tracing::warn!("in op after");
                Ok::<(), String>(())
            })
            .unwrap();
        });
    }
    let records = fixture.records();
    for body in ["in after", "in op after"] {
        let found: Vec<_> = records.iter().filter(|record| record.body_text() == body).collect();
        assert_eq!(found.len(), 10, "{:?}", fixture.counters.snapshot());
        assert!(found.iter().all(|record| record.ids.is_some() && record.text("runner_job.id") == Some("j")));
    }
    let spans = fixture.spans();
    assert_eq!(spans.iter().filter(|span| span.name == "after").count(), 10);
    assert_eq!(spans.iter().filter(|span| span.name == "t.after").count(), 10);
}

#[test]
fn a_sampler_that_panics_loses_its_spans_only_and_no_record() {
    for arrangement in Arrangement::with_sampled_span_layer() {
        let fragile = Fragile::default();
        let breaks = fragile.clone();
        let sampler = SamplerFn(move |_, _: &str, _: &[KeyValue]| {
            breaks.breaks();
            true
        });
        let fixture = arrangement.build_traced(|provider| provider.with_sampler(sampler));
        fixture.run(|| {
            fragile.0.store(true, Ordering::Relaxed);
            let broken = tracing::info_span!("broken", field = 1);
            broken.in_scope(|| {
                tracing::warn!("in broken");
                tracing::info_span!("child of broken").in_scope(|| tracing::warn!("in its child"));
                broken.record("field", 2);
            });
            tracing::warn!(parent: &broken, "explicit");
            assert_eq!(op::run("t", "broken", [], || Ok::<_, String>(7)), Ok(7));
            drop(op::start("t", "dropped", []));
            drop(broken);
            fragile.0.store(false, Ordering::Relaxed);
            assert_works(&fixture);
        });
        for body in ["in broken", "in its child", "explicit"] {
            fixture.assert_no_ids(body);
        }
    }
}

#[test]
fn a_processor_that_panics_does_not_reach_the_program() {
    for arrangement in Arrangement::with_sampled_span_layer() {
        let (start, end) = (Fragile::default(), Fragile::default());
        let (starts, ends) = (start.clone(), end.clone());
        let hooks = Hooks { start: move || starts.breaks(), end: move || ends.breaks(), shutdown: || () };
        let fixture = arrangement.build_traced(|provider| provider.with_span_processor(hooks));
        fixture.run(|| {
            for fragile in [&start, &end] {
                fragile.0.store(true, Ordering::Relaxed);
                tracing::info_span!("broken").in_scope(|| tracing::warn!("in broken"));
                assert_eq!(op::run("t", "broken", [], || Ok::<_, String>(7)), Ok(7));
                drop(op::start("t", "dropped", []));
                fragile.0.store(false, Ordering::Relaxed);
            }
            assert_works(&fixture);
        });
    }
}

/// Plain layers, with a switch for a processor that panics when a span starts.
fn plain_layers_that_break() -> impl Iterator<Item = (Fragile, Fixture)> {
    let plain = Arrangement::with_spans().into_iter().filter(|it| it.spans == Spans::Plain && it.sampled);
    plain.map(|arrangement| {
        let fragile = Fragile::default();
        let breaks = fragile.clone();
        let hooks = Hooks { start: move || breaks.breaks(), end: || (), shutdown: || () };
        let fixture = arrangement.build_traced(|provider| provider.with_span_processor(hooks));
        (fragile, fixture)
    })
}

/// Guarantees: with a plain layer, whose lock of the span is poisoned then, an op neither enters nor
/// closes a span whose start panicked. Either would panic in the program, and abort it while unwinding.
#[test]
fn an_op_whose_start_panicked_breaks_nothing_on_a_plain_layer() {
    for (fragile, fixture) in plain_layers_that_break() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        fixture.run(|| {
            fragile.0.store(true, Ordering::Relaxed);
            let broken = op::start("t", "broken", []);
            broken.set("key", "value");
            broken.in_scope(|| tracing::warn!("in broken"));
            runtime.block_on(broken.in_scope_async(async { tracing::warn!("in broken, async") }));
            drop(broken);
            assert_eq!(op::run("t", "broken", [], || Ok::<_, String>(7)), Ok(7));
            assert_eq!(
                runtime.block_on(op::run_async("t", "broken", [], async { Ok::<_, String>(7) })),
                Ok(7)
            );
            fragile.0.store(false, Ordering::Relaxed);
            assert_works(&fixture);
        });
        for body in ["in broken", "in broken, async"] {
            fixture.assert_no_ids(body);
        }
    }
}

/// Guarantees: the same for a span of `trace` over tracing; its entries are kept.
#[test]
fn a_trace_span_whose_start_panicked_breaks_nothing_on_a_plain_layer() {
    for (fragile, fixture) in plain_layers_that_break() {
        fixture.run(|| {
            let cx = trace::with_tracer(&Context::new(), TracingTracer::new());
            fragile.0.store(true, Ordering::Relaxed);
            let (inside, broken) = trace::start_span(&cx, "broken");
            fragile.0.store(false, Ordering::Relaxed);
            let inside = broken.with_field(&inside, "key", "value");
            trace::logger(&inside).error("in broken");
            let (_, child) = trace::start_span(&inside, "child");
            child.end();
            broken.end_with(&Err::<(), _>("failed".to_owned()));
            drop((inside, broken, child));
            assert_works(&fixture);
        });
        fixture.assert_no_ids("in broken");
    }
}

#[test]
fn spans_entered_inside_map_current_have_their_ids_and_break_nothing() {
    each(Arrangement::with_sampled_span_layer(), |fixture| {
        let span = tracing::info_span!("inside");
        Context::map_current(|_| {
            span.in_scope(|| tracing::warn!("in map_current"));
            job::scope(JobMetadata::new("m", "e"), || tracing::warn!("in a scope in map_current"));
            op::run("t", "inside", [], || Ok::<(), String>(())).unwrap();
        });
        span.in_scope(|| tracing::warn!("outside again"));
        fixture.assert_in_span("in map_current", &span);
        fixture.assert_in_span("outside again", &span);
        assert_works(fixture);
        drop(span);
        assert_eq!(fixture.record("in a scope in map_current").text("runner_job.id"), Some("m"));
        assert_eq!(fixture.span("inside").name, "inside");
    });
}

/// Scenario: a layer panics while it holds the lock of a span's extensions.
#[test]
fn records_of_a_span_whose_lock_another_layer_poisoned_are_still_made() {
    use tracing_subscriber::layer::{Context as LayerContext, SubscriberExt};
    use tracing_subscriber::registry::LookupSpan;
    use tracing_subscriber::Layer;

    struct Poisons;
    impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Poisons {
        fn on_enter(&self, id: &tracing::span::Id, ctx: LayerContext<'_, S>) {
            let span = ctx.span(id).unwrap();
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let _extensions = span.extensions_mut();
                std::panic::resume_unwind(Box::new("poisoned"));
            }));
        }
    }
    let layer = spanlog::LogLayer::new(&Capture::default().provider());
    let counters = layer.counters();
    let subscriber = tracing_subscriber::registry().with(Poisons).with(layer);
    tracing::subscriber::with_default(subscriber, || {
        let span = tracing::info_span!("poisoned");
        span.in_scope(|| tracing::info!("inside"));
        tracing::info!(parent: &span, "explicit");
    });
    let stats = counters.snapshot();
    assert_eq!((stats.emitted, stats.delivered), (2, 2), "{stats:?}");
}

#[test]
fn entering_an_older_span_does_not_lift_suppression() {
    let fixture = USUAL.build();
    fixture.run(|| {
        let older = tracing::info_span!("older");
        older.in_scope(|| ());
        let _suppressed = Context::enter_telemetry_suppressed_scope();
        older.in_scope(|| tracing::info!("an exporter's"));
    });
    assert!(fixture.records().is_empty());
}
