//! Contract §2: which span an event belongs to.

use opentelemetry::trace::{TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::ShouldSample;
use spanlog::{op, trace};
use tracing::field::Empty;
use tracing::Instrument;

use super::trace::Back;
use crate::fixture::capture::Capture;
use crate::fixture::spans::{remote_context, SamplerFn, REMOTE_SPAN, REMOTE_TRACE};
use crate::fixture::{ask_log, each, within, Arrangement, Hooks, Order, Spans, Wrap, USUAL};

/// An event of a level that passes every arrangement.
macro_rules! line {
    ($fixture:expr, $($event:tt)*) => {{
        ask_log($fixture.arrangement);
        tracing::warn!($($event)*);
    }};
}

#[test]
fn an_explicit_parent_is_that_span_whether_or_not_it_was_entered() {
    each(Arrangement::with_spans(), |fixture| {
        let unknown_dispatch = matches!(fixture.arrangement.wrap, Wrap::Option | Wrap::Reloaded);
        if unknown_dispatch && fixture.arrangement.spans == Spans::Plain {
            // The layer does not learn its dispatcher here, and under a scoped default can find it
            // only when a span is entered: see `docs/mapping.md`.
            tracing::info_span!("found").in_scope(|| ());
        }
        let never = tracing::info_span!("never entered");
        line!(fixture, parent: &never, "in never");
        let left = tracing::info_span!("left");
        left.in_scope(|| ());
        line!(fixture, parent: &left, "in left");
        let inside = tracing::info_span!("inside");
        inside.in_scope(|| {
            line!(fixture, parent: &never, "in never from inside");
            line!(fixture, parent: &inside, "in inside from inside");
        });
        fixture.assert_in_span("in never", &never);
        fixture.assert_in_span("in left", &left);
        fixture.assert_in_span("in never from inside", &never);
        fixture.assert_in_span("in inside from inside", &inside);
    });
}

#[test]
fn parent_none_has_no_ids_even_inside_an_active_span() {
    each(Arrangement::all(), |fixture| {
        tracing::info_span!("outer").in_scope(|| line!(fixture, parent: None, "root"));
        let api = fixture.tracer.start("api");
        let _attached = Context::current_with_span(api).attach();
        line!(fixture, parent: None, "root in api");
        fixture.assert_no_ids("root");
        fixture.assert_no_ids("root in api");
    });
}

#[test]
fn a_contextual_event_has_the_ids_of_the_innermost_tracing_span() {
    each(Arrangement::with_spans(), |fixture| {
        let outer = tracing::info_span!("outer");
        let inner = tracing::info_span!("inner");
        outer.in_scope(|| {
            line!(fixture, "in outer");
            inner.in_scope(|| line!(fixture, "in inner"));
            line!(fixture, "in outer again");
        });
        line!(fixture, "outside");
        fixture.assert_in_span("in outer", &outer);
        fixture.assert_in_span("in inner", &inner);
        fixture.assert_in_span("in outer again", &outer);
        fixture.assert_no_ids("outside");
    });
}

#[test]
fn the_first_event_of_a_span_has_its_ids_and_so_has_that_of_its_child() {
    each(Arrangement::with_spans(), |fixture| {
        let outer = tracing::info_span!("outer");
        let _outer = outer.clone().entered();
        let inner = tracing::info_span!("inner");
        let _inner = inner.clone().entered();
        line!(fixture, "first");
        fixture.assert_in_span("first", &inner);
        assert_ne!(fixture.ids_of(&inner), fixture.ids_of(&outer));
        assert_eq!(fixture.ids_of(&inner).unwrap().0, fixture.ids_of(&outer).unwrap().0);
    });
}

#[test]
fn spans_may_be_left_in_any_order() {
    each(Arrangement::with_spans(), |fixture| {
        let first = tracing::info_span!("first");
        let second = tracing::info_span!("second");
        let entered_first = first.enter();
        let entered_second = second.enter();
        drop(entered_first);
        line!(fixture, "in second");
        drop(entered_second);
        line!(fixture, "in none");
        fixture.assert_in_span("in second", &second);
        fixture.assert_no_ids("in none");
    });
}

#[test]
fn an_api_span_that_is_further_in_goes_first_and_one_that_is_further_out_does_not() {
    each(Arrangement::with_spans(), |fixture| {
        let api = Context::current_with_span(fixture.tracer.start("outer api"));
        let api_ids = ids(&api);
        let _attached = api.attach();
        line!(fixture, "in outer api");
        let span = tracing::info_span!("span");
        span.in_scope(|| {
            line!(fixture, "in span");
            let inner = Context::current_with_span(fixture.tracer.start("inner api"));
            let inner_ids = ids(&inner);
            let attached = inner.attach();
            line!(fixture, "in inner api");
            assert_eq!(fixture.record("in inner api").ids, inner_ids);
            drop(attached);
            line!(fixture, "in span again");
        });
        assert_eq!(fixture.record("in outer api").ids, api_ids);
        fixture.assert_in_span("in span", &span);
        fixture.assert_in_span("in span again", &span);
    });
}

#[test]
fn without_a_span_layer_only_api_spans_give_ids() {
    each(Arrangement::without_spans(), |fixture| {
        let span = tracing::info_span!("span");
        span.in_scope(|| line!(fixture, "in span"));
        line!(fixture, parent: &span, "explicit");
        fixture.assert_no_ids("in span");
        fixture.assert_no_ids("explicit");
        line!(fixture, "outside");
        assert_eq!(fixture.counters.snapshot().without_ids, 2);
        let api = Context::current_with_span(fixture.tracer.start("api"));
        let api_ids = ids(&api);
        let _attached = api.attach();
        line!(fixture, "in api");
        span.in_scope(|| line!(fixture, "in span in api"));
        assert_eq!(fixture.record("in api").ids, api_ids);
        assert_eq!(fixture.record("in span in api").ids, api_ids);
        assert_eq!(fixture.counters.snapshot().without_ids, 2);
    });
}

#[test]
fn an_unsampled_span_gives_ids_with_flags_zero_and_the_record_is_made() {
    let mut seen = 0;
    each(Arrangement::with_spans(), |fixture| {
        if fixture.arrangement.sampled {
            return;
        }
        let span = tracing::info_span!("unsampled");
        span.in_scope(|| line!(fixture, "kept"));
        let record = fixture.record("kept");
        assert!(record.ids.is_some());
        assert_eq!(record.flags.unwrap().to_u8(), 0);
        assert!(fixture.spans().is_empty());
        seen += 1;
    });
    assert!(seen > 0);
}

#[test]
fn a_tracer_that_is_shut_down_gives_no_ids() {
    each(Arrangement::with_spans(), |fixture| {
        let before = tracing::info_span!("before");
        before.in_scope(|| line!(fixture, "alive"));
        fixture.assert_in_span("alive", &before);
        fixture.tracer_provider.shutdown().unwrap();
        let span = tracing::info_span!("after");
        span.in_scope(|| {
            line!(fixture, "dead");
            line!(fixture, parent: None, "dead root");
            line!(fixture, parent: &span, "dead explicit");
        });
        line!(fixture, parent: &span, "dead from outside");
        line!(fixture, "dead outside");
        assert_eq!(fixture.counters.snapshot().without_ids, 3);
        fixture.assert_no_ids("dead");
        fixture.assert_no_ids("dead root");
        fixture.assert_no_ids("dead explicit");
    });
}

#[test]
fn a_no_op_tracer_gives_no_ids_without_a_remote_parent_and_that_parents_with_one() {
    use opentelemetry::trace::TraceId;
    use spanlog::{LogLayer, SpanLayer};
    use tracing_subscriber::layer::SubscriberExt;

    for activation in [true, false] {
        let records = Capture::default();
        let inner = tracing_opentelemetry::layer().with_context_activation(activation);
        let logs = LogLayer::new(&records.provider());
        let subscriber = tracing_subscriber::registry().with(SpanLayer::new(inner)).with(logs);
        tracing::subscriber::with_default(subscriber, || {
            tracing::info_span!("noop").in_scope(|| tracing::info!("without"));
            let _attached = remote_context().attach();
            tracing::info_span!("noop").in_scope(|| tracing::info!("with"));
        });
        let ids = records.map(|record| record.trace_context().map(|ids| (ids.trace_id, ids.span_id)));
        assert!(ids[0].is_none_or(|(trace, _)| trace == TraceId::INVALID));
        assert_eq!(ids[1], Some((REMOTE_TRACE, REMOTE_SPAN)));
    }
}

#[test]
fn a_span_handed_to_another_thread_gives_its_ids_there() {
    each(Arrangement::with_spans(), |fixture| {
        let span = tracing::info_span!("handed");
        let dispatch = fixture.dispatch.clone();
        let arrangement = fixture.arrangement;
        let handed = span.clone();
        std::thread::spawn(move || {
            tracing::dispatcher::with_default(&dispatch, || {
                handed.in_scope(|| {
                    ask_log(arrangement);
                    tracing::warn!("there");
                });
            });
        })
        .join()
        .unwrap();
        line!(fixture, "here");
        fixture.assert_in_span("there", &span);
        fixture.assert_no_ids("here");
    });
}

#[test]
fn an_instrumented_future_gives_its_ids_wherever_it_is_polled() {
    for threads in [1, 2] {
        for arrangement in Arrangement::with_spans() {
            let fixture = arrangement.build();
            let runtime = match threads {
                1 => tokio::runtime::Builder::new_current_thread().build().unwrap(),
                _ => tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap(),
            };
            let span = fixture.run(|| tracing::info_span!("task"));
            let dispatch = fixture.dispatch.clone();
            let task = async move {
                for line in 0..4 {
                    ask_log(arrangement);
                    tracing::warn!("line {line}");
                    tokio::task::yield_now().await;
                }
            };
            let task =
                tracing::instrument::WithSubscriber::with_subscriber(task.instrument(span.clone()), dispatch);
            runtime.block_on(async { tokio::spawn(task).await.unwrap() });
            for line in 0..4 {
                fixture.assert_in_span(&format!("line {line}"), &span);
            }
        }
    }
}

#[test]
fn inside_map_current_records_are_made_with_the_right_ids() {
    each(Arrangement::with_spans(), |fixture| {
        let span = tracing::info_span!("span");
        span.in_scope(|| {
            Context::map_current(|_| {
                line!(fixture, "in map_current");
                line!(fixture, parent: None, "root in map_current");
            });
        });
        fixture.assert_in_span("in map_current", &span);
        fixture.assert_no_ids("root in map_current");
    });
}

/// Guarantees: no deadlock, and the ids are the enclosing span's or none, while user code runs
/// inside the start of a span: a sampler's, an id generator's, a processor's.
#[test]
fn a_line_logged_while_a_span_is_started_has_the_enclosing_ids_or_none() {
    for arrangement in Arrangement::with_spans().into_iter().filter(|arrangement| arrangement.sampled) {
        within(20, &format!("{arrangement:?}"), move || {
            let fixture = arrangement.build_traced(|provider| {
                    provider
                        .with_sampler(logging_sampler())
                        .with_id_generator(LoggingIds::default())
                        .with_span_processor(Hooks {
                            start: || {
                                tracing::warn!("processor start");
                                tracing::warn!(parent: tracing::Span::current().id(), "processor start, explicitly");
                            },
                            end: || tracing::warn!("processor end"),
                            shutdown: || (),
                        })
                },
            );
            fixture.run(|| {
                let outer = tracing::info_span!("outer");
                let outer_entered = outer.clone().entered();
                let inner = tracing::info_span!("inner");
                inner.in_scope(|| line!(fixture, "in inner"));
                let explicit = tracing::info_span!(parent: &inner, "explicit");
                let never = tracing::info_span!("never entered");
                never.follows_from(&explicit);
                line!(fixture, parent: &never, "in never");
                fixture.assert_in_span("in inner", &inner);
                fixture.assert_in_span("in never", &never);
                let outer_ids = fixture.ids_of(&outer).unwrap();
                let mut starting = 0;
                for record in fixture.records() {
                    if ["sampler", "ids", "processor start", "processor start, explicitly"]
                        .contains(&record.body_text())
                    {
                        starting += 1;
                        assert!(record.ids.is_none() || record.ids == Some(outer_ids), "{record:?}");
                    }
                }
                assert!(starting >= 4, "{starting}");
                drop((inner, explicit, never, outer_entered, outer));
            });
            assert!(fixture.records().iter().any(|record| record.body_text() == "processor end"));
        });
    }
}

/// Guarantees: a span that follows from itself gets no link, and nothing hangs. The wrapped layer would
/// lock it twice.
#[test]
fn a_span_that_follows_from_itself_does_not_hang() {
    for arrangement in Arrangement::with_sampled_span_layer() {
        within(20, &format!("{arrangement:?}"), move || {
            let fixture = arrangement.build();
            fixture.run(|| {
                let span = tracing::info_span!("itself");
                span.follows_from(&span);
                span.in_scope(|| tracing::warn!("in it"));
                fixture.assert_in_span("in it", &span);
            });
            assert!(fixture.span("itself").links.is_empty());
        });
    }
}

fn logging_sampler() -> impl ShouldSample + 'static {
    SamplerFn(|_, _: &str, _: &[KeyValue]| {
        tracing::warn!("sampler");
        true
    })
}

#[derive(Debug, Default)]
struct LoggingIds(opentelemetry_sdk::trace::RandomIdGenerator);

impl opentelemetry_sdk::trace::IdGenerator for LoggingIds {
    fn new_trace_id(&self) -> opentelemetry::TraceId {
        self.0.new_trace_id()
    }

    fn new_span_id(&self) -> opentelemetry::SpanId {
        tracing::warn!("ids");
        self.0.new_span_id()
    }
}

/// Guarantees: with `SpanLayer` and activation off, entering a span does not start it, so its
/// parent can still be set; its first record does, and then `set_parent` returns an error.
#[test]
fn a_log_line_does_not_break_set_parent_before_it_is_logged() {
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    for order in [Order::LogFirst, Order::SpanFirst] {
        let fixture = Arrangement { order, activation: false, ..USUAL }.build();
        fixture.run(|| {
            let span = tracing::info_span!("request");
            span.in_scope(|| {
                tracing::info!(parent: None, "belongs to no span");
                span.set_parent(remote_context()).unwrap();
                tracing::info!("first");
                assert!(span.set_parent(remote_context()).is_err());
            });
            assert_eq!(fixture.record("first").ids.unwrap().0, REMOTE_TRACE);
        });
    }
}

#[test]
fn two_subscribers_on_one_thread_do_not_see_each_others_spans() {
    let one = USUAL.build();
    let other = Arrangement { activation: false, ..USUAL }.build();
    let span_of_one = one.run(|| tracing::info_span!("one"));
    let span_of_other = other.run(|| tracing::info_span!("other"));
    let _one = span_of_one.enter();
    let _other = span_of_other.enter();
    one.run(|| tracing::info!("to one"));
    other.run(|| tracing::info!("to other"));
    one.assert_in_span("to one", &span_of_one);
    other.assert_in_span("to other", &span_of_other);
}

#[test]
fn a_layer_that_was_reloaded_away_and_back_in_does_not_know_spans_that_were_left_meanwhile() {
    use spanlog::LogLayer;
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::reload;

    let records = Capture::default();
    let fixture = USUAL.build();
    let inner = tracing_opentelemetry::layer().with_tracer(fixture.tracer.clone());
    let (layer, handle) = reload::Layer::new(Some(LogLayer::new(&records.provider())));
    let subscriber = tracing_subscriber::registry().with(inner).with(layer);
    tracing::subscriber::with_default(subscriber, || {
        let span = tracing::info_span!("left behind our back").entered();
        let mut away = None;
        handle.modify(|layer| away = layer.take()).unwrap();
        drop(span);
        handle.modify(|layer| *layer = away.take()).unwrap();
        tracing::info!("outside");
    });
    assert_eq!(records.map(|record| record.trace_context().cloned()), [None]);
}

fn ids(cx: &Context) -> Option<(opentelemetry::TraceId, opentelemetry::SpanId)> {
    let span = cx.span().span_context().clone();
    Some((span.trace_id(), span.span_id()))
}

#[test]
fn a_span_that_ended_keeps_its_ids() {
    each(Arrangement::with_spans(), |fixture| {
        let span = tracing::info_span!("ends early");
        span.in_scope(|| {
            line!(fixture, "before");
            let id = tracing::Span::current().id().unwrap();
            let cx = tracing_opentelemetry::get_otel_context(&id, &fixture.dispatch).unwrap();
            cx.span().end();
            line!(fixture, "after");
        });
        fixture.assert_in_span("before", &span);
        fixture.assert_in_span("after", &span);
    });
}

/// Guarantees: where user code starts the current span itself, a line that its sampler logs has no
/// ids of a span being started, the next line has the span's, and the span shows no trace of how
/// that is done.
#[test]
fn a_span_whose_context_was_asked_for_by_hand_gives_its_ids_from_then_on() {
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    for arrangement in Arrangement::with_spans().into_iter().filter(|arrangement| arrangement.sampled) {
        within(20, &format!("{arrangement:?}"), move || {
            let fixture = arrangement.build_traced(|provider| provider.with_sampler(logging_sampler()));
            fixture.run(|| {
                let outer = tracing::info_span!("outer").entered();
                let span = tracing::info_span!("asked");
                let entered = span.enter();
                let _ = span.context();
                line!(fixture, "first");
                fixture.assert_in_span("first", &span);
                let another = tracing::info_span!("another");
                let _ = another.context();
                another.in_scope(|| line!(fixture, "in another"));
                line!(fixture, "second");
                fixture.assert_in_span("in another", &another);
                fixture.assert_in_span("second", &span);
                drop(entered);
                drop((span, another, outer));
            });
            if arrangement.spans == Spans::Ours {
                for span in fixture.spans() {
                    assert!(span.events.is_empty(), "{span:?}");
                }
            }
        });
    }
}

/// Scenario: a sampler enters a span, runs an op, or touches whatever span is current, while a span
/// is started because its ids are asked for.
///
/// Guarantees: it does not wait for the lock of the span that is being started. Where the program
/// would hang without this crate too, with context activation on, nothing is promised.
#[test]
fn a_sampler_may_touch_whatever_is_current() {
    let touches: [(&str, fn()); 4] = [
        ("enters a span", || tracing::info_span!("inner").in_scope(|| tracing::warn!("said inside"))),
        ("runs an op", || op::run("t", "inner", [], || Ok::<_, String>(())).unwrap()),
        ("enters the current span again", || tracing::Span::current().in_scope(|| tracing::warn!("again"))),
        ("records on the current span", || {
            tracing::Span::current().record("field", 1);
        }),
    ];
    let arrangements = Arrangement::with_spans().into_iter().filter(|it| it.sampled && !it.activation);
    for (arrangement, (what, touch)) in arrangements.flat_map(|it| touches.map(|touch| (it, touch))) {
        within(20, &format!("a sampler that {what}: {arrangement:?}"), move || {
            let sampler = SamplerFn(move |_, name: &str, _: &[KeyValue]| {
                if name.starts_with("outer") {
                    touch();
                }
                true
            });
            let fixture = arrangement.build_traced(|provider| provider.with_sampler(sampler));
            fixture.run(|| {
                let outermost = tracing::info_span!("outer, outermost", field = Empty);
                let outer = outermost.in_scope(|| {
                    let outer = tracing::info_span!("outer", field = Empty);
                    outer.in_scope(|| line!(fixture, "in outer"));
                    line!(fixture, "in outermost");
                    outer
                });
                fixture.assert_in_span("in outer", &outer);
                fixture.assert_in_span("in outermost", &outermost);
            });
        });
    }
}

/// Guarantees: a span that is entered twice on one thread is current until it is left twice.
#[test]
fn a_span_that_is_entered_twice_is_current_until_it_is_left_twice() {
    each(Arrangement::with_spans(), |fixture| {
        let span = tracing::info_span!("twice");
        let (outer, inner) = (span.enter(), span.enter());
        line!(fixture, "inside both");
        drop(inner);
        line!(fixture, "inside one");
        drop(outer);
        line!(fixture, "outside");
        fixture.assert_in_span("inside both", &span);
        fixture.assert_in_span("inside one", &span);
        fixture.assert_no_ids("outside");
    });
}

/// Scenario: an event goes to a subscriber that is not the thread's default, while a span of the
/// default one is entered.
///
/// Guarantees: with context activation on, that span is the active one of the thread, and its ids are
/// the record's; with it off there are none. The layer does not take the default for its own
/// dispatcher.
#[test]
fn an_event_of_one_subscriber_inside_a_span_of_another() {
    for activation in [true, false] {
        let of = |spans, wrap| Arrangement { activation, spans, wrap, ..USUAL }.build();
        let (one, other) = (of(Spans::Ours, Wrap::Bare), of(Spans::Plain, Wrap::Option));
        one.run(|| {
            let span = tracing::info_span!("of one", secret = 1);
            span.in_scope(|| other.run(|| tracing::warn!("of the other")));
            let expected = if activation { one.ids_of(&span) } else { None };
            assert_eq!(other.record("of the other").ids, expected, "activation: {activation}");
            assert_eq!(other.record("of the other").keys(), [""; 0]);
        });
        let (cx, started) = other.run(|| trace::start_span(&Back::Tracing.context(&other), "started"));
        one.run(|| {
            let _same_id = tracing::info_span!("of one");
            trace::logger(&cx).warn("goes to the other");
        });
        other.run(|| {
            tracing::info_span!("found").in_scope(|| ());
            let never = tracing::info_span!("never entered");
            tracing::warn!(parent: &never, "explicit");
            other.assert_in_span("explicit", &never);
        });
        assert_eq!(other.record("goes to the other").ids, ids(&cx));
        started.end();
    }
}
