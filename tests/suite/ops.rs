//! Contract §4: one span per tool call. And §2b: what `SpanLayer` keeps away from spans.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{SpanKind, Status};
use opentelemetry::KeyValue;
use opentelemetry_sdk::trace::SpanData;
use spanlog::{job, op, JobMetadata};

use crate::fixture::spans::{
    ids_of, kept_spans, remote_context, span_layer, SamplerFn, REMOTE_SPAN, REMOTE_TRACE,
};
use crate::fixture::{self, attributes, Arrangement, Fixture, USUAL};

/// Runs `test` in each arrangement with our span layer, sampled.
fn each(test: impl FnMut(&Fixture)) {
    fixture::each(Arrangement::with_sampled_span_layer(), test);
}

fn outcome(span: &SpanData) -> Option<String> {
    attributes(span).remove("op.outcome")
}

fn exceptions(span: &SpanData) -> Vec<(Option<String>, String)> {
    let find = |event: &opentelemetry::trace::Event, key: &str| {
        let mut found = event.attributes.iter().filter(|attribute| attribute.key.as_str() == key);
        found.next().map(|attribute| attribute.value.to_string())
    };
    span.events
        .iter()
        .map(|event| {
            assert_eq!(event.name, "exception");
            (find(event, "exception.type"), find(event, "exception.message").unwrap())
        })
        .collect()
}

#[test]
fn start_opens_a_child_of_the_current_span_named_tool_dot_operation_of_kind_internal() {
    each(|fixture| {
        let outer = tracing::info_span!("outer");
        outer.in_scope(|| {
            op::start("terraform", "plan", []).end(&Ok::<(), String>(()));
            op::tool("helm", "upgrade", []).end(&Ok::<(), String>(()));
            op::runner("fetch", []).end(&Ok::<(), String>(()));
        });
        let parent = fixture.ids_of(&outer).unwrap();
        for (name, tool, operation) in [
            ("terraform.plan", "terraform", "plan"),
            ("helm.upgrade", "helm", "upgrade"),
            ("runner.fetch", "runner", "fetch"),
        ] {
            let span = fixture.span(name);
            assert_eq!((span.span_context.trace_id(), span.parent_span_id), parent);
            assert_eq!(span.span_kind, SpanKind::Internal);
            let attributes = attributes(&span);
            assert_eq!((attributes["nuon.tool"].as_str(), attributes["nuon.op"].as_str()), (tool, operation));
            assert_eq!(span.status, Status::Unset);
            assert_eq!(outcome(&span), None);
        }
    });
}

#[test]
fn attributes_are_tool_operation_stamps_then_the_callers_which_win_each_once_and_samplers_see_them() {
    for arrangement in Arrangement::with_sampled_span_layer() {
        let sampled = Arc::new(Mutex::new(Vec::new()));
        let kept = sampled.clone();
        let sampler = SamplerFn(move |_, _: &str, attributes: &[KeyValue]| {
            kept.lock().unwrap().push(attributes.to_vec());
            true
        });
        let fixture = arrangement.build_traced(|provider| provider.with_sampler(sampler));
        fixture.run(|| {
            job::scope(JobMetadata::new("j", "e").with_org_id("o"), || {
                job::set("build.id", 7);
                let attributes = [
                    KeyValue::new("mine", 1),
                    KeyValue::new("nuon.op", "custom"),
                    KeyValue::new("org.id", "my org"),
                    KeyValue::new("mine", 2),
                ];
                op::start("git", "clone", attributes).end(&Ok::<(), String>(()));
            });
        });
        let span = fixture.span("git.clone");
        let own: Vec<(&str, String)> = span
            .attributes
            .iter()
            .map(|attribute| (attribute.key.as_str(), attribute.value.to_string()))
            .skip_while(|(key, _)| *key != "nuon.tool")
            .filter(|(key, _)| !key.ends_with("_ns"))
            .collect();
        let expected = [
            ("nuon.tool", "git"),
            ("runner_job.id", "j"),
            ("runner_job_execution.id", "e"),
            ("build.id", "7"),
            ("nuon.op", "custom"),
            ("org.id", "my org"),
            ("mine", "2"),
        ]
        .map(|(key, value)| (key, value.to_owned()));
        assert_eq!(own, expected);
        let sampled = sampled.lock().unwrap()[0].clone();
        for (key, value) in expected {
            assert!(
                sampled.iter().any(|seen| seen.key.as_str() == key && seen.value.to_string() == value),
                "{key}"
            );
        }
    }
}

#[test]
fn location_and_target_name_the_caller() {
    each(|fixture| {
        let line = line!() + 1;
        op::run("git", "clone", [], || Ok::<(), String>(())).unwrap();
        let attributes = attributes(&fixture.span("git.clone"));
        assert_eq!(attributes["code.file.path"], file!());
        assert_eq!(attributes["code.line.number"], line.to_string());
        assert!(!attributes.contains_key("code.module.name"));
        assert_eq!(attributes["target"], file!());
    });
}

#[test]
fn a_filter_for_the_users_crate_does_not_remove_op_spans() {
    use tracing_subscriber::layer::SubscriberExt;

    let (provider, spans) = kept_spans();
    let subscriber = tracing_subscriber::registry()
        .with(tracing_subscriber::EnvFilter::new("myapp=debug"))
        .with(span_layer(&provider));
    tracing::subscriber::with_default(subscriber, || {
        tracing::info_span!("another crate's").in_scope(|| ());
        op::start("git", "clone", []).end(&Ok::<(), String>(()));
    });
    let names: Vec<_> =
        spans.get_finished_spans().unwrap().iter().map(|span| span.name.to_string()).collect();
    assert_eq!(names, ["git.clone"]);
}

#[test]
fn it_never_fails_without_a_subscriber_or_a_span_layer() {
    let work = || {
        let op = op::start("git", "clone", [KeyValue::new("a", 1)]);
        op.set("b", 2);
        op.in_scope(|| tracing::warn!("inside"));
        op.end(&Err::<(), _>("failed"));
        assert_eq!(op::run("git", "fetch", [], || Ok::<_, String>(7)), Ok(7));
        drop(op::start("git", "dropped", []));
    };
    work();
    for arrangement in Arrangement::without_spans() {
        let fixture = arrangement.build();
        fixture.run(work);
        assert_eq!(fixture.record("inside").text("nuon.tool"), Some("git"));
    }
}

#[test]
fn the_result_comes_back_unchanged_and_an_error_makes_the_span_red() {
    each(|fixture| {
        assert_eq!(op::run("t", "ok", [], || Ok::<_, String>(7)), Ok(7));
        assert_eq!(op::run("t", "err", [], || Err::<(), _>("no".to_owned())), Err("no".to_owned()));
        let (ok, err) = (fixture.span("t.ok"), fixture.span("t.err"));
        assert_eq!((ok.status.clone(), ok.events.len()), (Status::Unset, 0));
        assert_eq!(err.status, Status::error("no"));
        assert_eq!(exceptions(&err), [(None, "no".to_owned())]);
        assert_eq!(attributes(&err)["error.type"], "_OTHER");
    });
}

#[test]
fn every_kind_of_error_works_and_its_type_is_told_where_it_can_be() {
    #[derive(Debug)]
    struct Own;
    impl std::fmt::Display for Own {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("own error")
        }
    }
    let number = || "x".parse::<i32>().unwrap_err();
    let fixture = USUAL.build();
    fixture.run(|| {
        let _ = op::run("t", "std", [], || Err::<(), _>(number()));
        let _ = op::run("t", "own", [], || Err::<(), _>(Own));
        let _ = op::run("t", "boxed", [], || Err::<(), Box<dyn std::error::Error>>(number().into()));
        let _ = op::run("t", "sendable", [], || {
            Err::<(), Box<dyn std::error::Error + Send + Sync>>(number().into())
        });
        let _ = op::run("t", "boxed text", [], || Err::<(), Box<dyn std::error::Error>>("text".into()));
        let _ = op::run("t", "anyhow", [], || Err::<(), _>(anyhow::anyhow!("any {}", 1)));
        let _ = op::run("t", "string", [], || Err::<(), _>("text".to_owned()));
        let _ = op::run("t", "str", [], || Err::<(), _>("text"));
    });
    for (name, kind, message) in [
        ("t.std", Some("core::num::error::ParseIntError"), "invalid digit found in string"),
        ("t.boxed", Some("ParseIntError"), "invalid digit found in string"),
        ("t.sendable", Some("ParseIntError"), "invalid digit found in string"),
        ("t.boxed text", None, "text"),
        ("t.anyhow", Some("anyhow::Error"), "any 1"),
        ("t.string", None, "text"),
        ("t.str", None, "text"),
    ] {
        let span = fixture.span(name);
        assert_eq!(exceptions(&span), [(kind.map(str::to_owned), message.to_owned())], "{name}");
        assert_eq!(attributes(&span)["error.type"], kind.unwrap_or("_OTHER"), "{name}");
        assert_eq!(span.status, Status::error(message), "{name}");
    }
    assert!(attributes(&fixture.span("t.own"))["error.type"].ends_with("::Own"));
}

/// Guarantees: what the `Debug` of an error begins with is its type only if it is one.
#[test]
fn a_word_that_is_no_type_is_never_the_type_of_an_exception() {
    let fixture = USUAL.build();
    let custom = || std::io::Error::other("full");
    let os = || std::io::Error::from_raw_os_error(2);
    let context = || anyhow::Error::new(custom()).context("cannot write");
    fixture.run(|| {
        for error in [custom(), os(), std::io::ErrorKind::NotFound.into()] {
            tracing::error!(error = &error as &dyn std::error::Error, "event");
            let _ = op::run("t", "boxed", [], || Err::<(), Box<dyn std::error::Error>>(error.into()));
        }
        let error = context();
        tracing::error!(error = AsRef::<dyn std::error::Error>::as_ref(&error), "event");
        let _ = op::run("t", "anyhow", [], || Err::<(), _>(anyhow::anyhow!("Failed")));
        op::start("t", "io", []).fail(&custom());
    });
    let events = fixture.records();
    assert_eq!(events.len(), 4);
    events.iter().for_each(|event| assert_eq!(event.get("exception.type"), None, "{event:?}"));
    let types: Vec<_> =
        fixture.spans().iter().map(|span| (span.name.to_string(), exceptions(span)[0].0.clone())).collect();
    let boxed = ("t.boxed".to_owned(), None);
    let expected = [
        boxed.clone(),
        boxed.clone(),
        boxed,
        ("t.anyhow".to_owned(), Some("anyhow::Error".to_owned())),
        ("t.io".to_owned(), Some("std::io::error::Error".to_owned())),
    ];
    assert_eq!(types, expected);
}

#[test]
fn an_ops_exception_has_the_causes_of_its_error() {
    #[derive(Debug)]
    struct Outer(std::num::ParseIntError);
    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("no number")
        }
    }
    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    let outer = || Outer("x".parse::<i32>().unwrap_err());
    let fixture = USUAL.build();
    fixture.run(|| {
        op::start("t", "own", []).fail(&outer());
        let boxed: Box<dyn std::error::Error> = outer().into();
        op::start("t", "boxed", []).fail(&*boxed);
        op::start("t", "none", []).fail(&outer().0);
        let result = Err::<(), _>(anyhow::Error::new(outer()).context("cannot read\nthe file"));
        op::start("t", "anyhow", []).end(&result);
        let result = Err::<(), _>(anyhow::Error::new(outer()));
        op::start("t", "anyhow with one", []).end(&result);
        op::start("t", "anyhow with none", []).end(&Err::<(), _>(anyhow::anyhow!("no cause")));
    });
    let causes = |name: &str| {
        let span = fixture.span(name);
        let mut own = span.events[0].attributes.iter();
        own.find(|own| own.key.as_str() == "exception.stacktrace").map(|own| own.value.to_string())
    };
    let innermost = "Caused by: invalid digit found in string";
    for name in ["t.own", "t.boxed", "t.anyhow with one"] {
        assert_eq!(causes(name).as_deref(), Some(innermost), "{name}");
    }
    assert_eq!(causes("t.anyhow").unwrap(), format!("Caused by: no number\n{innermost}"));
    assert_eq!((causes("t.none"), causes("t.anyhow with none")), (None, None));
    assert_eq!(fixture.span("t.own").status, Status::error("no number"));
}

#[test]
fn an_op_is_send_and_can_be_ended_from_another_thread_and_a_callback() {
    fn is_send<T: Send + 'static>(_: &T) {}
    each(|fixture| {
        let op = op::start("t", "moved", []);
        is_send(&op);
        std::thread::spawn(move || op.end(&Err::<(), _>("there"))).join().unwrap();

        let end = op::start("t", "callback", []).end_fn();
        is_send(&end);
        let callback: Box<dyn FnOnce(Result<u8, String>) + Send> = Box::new(move |result| end(&result));
        std::thread::spawn(move || callback(Err("late".to_owned()))).join().unwrap();
        assert_eq!(fixture.span("t.moved").status, Status::error("there"));
        assert_eq!(fixture.span("t.callback").status, Status::error("late"));
    });
}

#[test]
fn events_inside_carry_the_ops_ids_tool_and_operation_and_the_inner_ops_win() {
    each(|fixture| {
        let outer = op::start("helm", "upgrade", [KeyValue::new("chart", "web")]);
        outer.in_scope(|| {
            tracing::warn!("in outer");
            op::run("git", "clone", [], || {
                tracing::warn!("in inner");
                Ok::<(), String>(())
            })
            .unwrap();
            tracing::warn!("in outer again");
        });
        outer.set("revision", 3);
        outer.in_scope(|| tracing::warn!("after set"));
        outer.end(&Ok::<(), String>(()));
        for (body, tool, operation, span) in [
            ("in outer", "helm", "upgrade", "helm.upgrade"),
            ("in inner", "git", "clone", "git.clone"),
            ("in outer again", "helm", "upgrade", "helm.upgrade"),
            ("after set", "helm", "upgrade", "helm.upgrade"),
        ] {
            let record = fixture.record(body);
            assert_eq!(record.ids, Some(ids_of(&fixture.span(span))), "{body}");
            assert_eq!(
                (record.text("nuon.tool"), record.text("nuon.op")),
                (Some(tool), Some(operation)),
                "{body}"
            );
            assert_eq!(record.text("chart"), Some("web"));
            assert_eq!(record.get("revision").is_some(), body == "after set");
        }
        assert_eq!(attributes(&fixture.span("helm.upgrade"))["revision"], "3");
    });
}

#[test]
fn an_ops_span_that_ended_gives_its_ids_to_whoever_still_uses_it() {
    each(|fixture| {
        let op = op::start("t", "o", []);
        let span = op.span().clone();
        op.end(&Ok::<(), String>(()));
        let ids = Some(ids_of(&fixture.span("t.o")));
        span.in_scope(|| tracing::warn!("later"));
        tracing::warn!(parent: &span, "explicit");
        assert_eq!(fixture.record("later").ids, ids);
        assert_eq!(fixture.record("explicit").ids, ids);
    });
}

#[test]
fn a_drop_without_an_end_is_dropped() {
    each(|fixture| {
        drop(op::start("t", "o", []));
        let span = fixture.span("t.o");
        assert_eq!(outcome(&span).as_deref(), Some("dropped"));
        assert_eq!(span.status, Status::Unset);
    });
}

#[test]
fn a_dropped_future_is_cancelled() {
    each(|fixture| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        drop(op::run_async("t", "never polled", [], async { Ok::<(), String>(()) }));
        runtime.block_on(async {
            let pending = op::run_async("t", "pending", [], std::future::pending::<Result<(), String>>());
            tokio::select! {
                biased;
                _ = pending => unreachable!(),
                () = async {} => {}
            }
            let done = op::run_async("t", "done", [], async {
                tokio::task::yield_now().await;
                tracing::warn!("inside");
                Err::<(), _>("failed")
            });
            assert_eq!(done.await, Err("failed"));
        });
        for name in ["t.never polled", "t.pending"] {
            let span = fixture.span(name);
            assert_eq!(outcome(&span).as_deref(), Some("cancelled"));
            assert_eq!(span.status, Status::Unset);
        }
        let done = fixture.span("t.done");
        assert_eq!((outcome(&done), done.status.clone()), (None, Status::error("failed")));
        assert_eq!(fixture.record("inside").ids.unwrap().1, done.span_context.span_id());
    });
}

#[test]
fn a_panic_is_panicked_and_goes_on_also_where_a_runtime_catches_it() {
    each(|fixture| {
        let _quiet = QuietPanics::new();
        let gone_on = catch_unwind(|| op::run::<(), String>("t", "closure", [], || panic!("one")));
        assert!(gone_on.is_err());
        let gone_on = catch_unwind(|| {
            let _op = op::start("t", "held", []);
            panic!("two");
        });
        assert!(gone_on.is_err());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, async {
            let task = tokio::task::spawn_local(op::run_async("t", "task", [], async {
                tokio::task::yield_now().await;
                if true {
                    panic!("three");
                }
                Ok::<(), String>(())
            }));
            assert!(task.await.unwrap_err().is_panic());
        });
        for name in ["t.closure", "t.held", "t.task"] {
            let span = fixture.span(name);
            assert_eq!(outcome(&span).as_deref(), Some("panicked"), "{name}");
            // What the exception says, where the message is known: `held` has no hook and no call of ours.
            match exceptions(&span).pop() {
                Some((_, message)) => assert_eq!(span.status, Status::error(message), "{name}"),
                None => assert_eq!((name, span.status), ("t.held", Status::error("panicked"))),
            }
        }
        assert_eq!(fixture.span("t.closure").status, Status::error("one"));
        assert_eq!(fixture.span("t.task").status, Status::error("three"));
    });
}

#[test]
fn an_op_can_have_a_label() {
    each(|fixture| {
        op::start("terraform", "apply", [op::label("prod-eu-25")]).end(&Ok::<(), String>(()));
        assert_eq!(attributes(&fixture.span("terraform.apply"))["op.label"], "prod-eu-25");
    });
}

#[test]
fn an_op_that_is_started_and_ended_while_unwinding_did_not_panic() {
    struct CleansUp;
    impl Drop for CleansUp {
        fn drop(&mut self) {
            op::run("t", "clean-up", [], || Ok::<(), String>(())).unwrap();
            drop(op::start("t", "dropped", []));
        }
    }
    each(|fixture| {
        let _quiet = QuietPanics::new();
        let _ = catch_unwind(AssertUnwindSafe(|| {
            let _cleans_up = CleansUp;
            panic!("unwinds");
        }));
        assert_eq!(outcome(&fixture.span("t.clean-up")), None);
        assert_eq!(outcome(&fixture.span("t.dropped")).as_deref(), Some("dropped"));
    });
}

#[test]
fn error_lines_do_not_make_a_span_red_nor_are_they_copied_into_it() {
    each(|fixture| {
        op::run("t", "o", [], || {
            tracing::error!("attempt 1 failed");
            let error = std::io::Error::other("disk");
            tracing::error!(error = &error as &(dyn std::error::Error + 'static), "attempt 2 failed");
            Ok::<(), String>(())
        })
        .unwrap();
        tracing::info_span!("plain").in_scope(|| tracing::error!("a retry"));
        for name in ["t.o", "plain"] {
            let span = fixture.span(name);
            assert_eq!((span.status.clone(), span.events.len()), (Status::Unset, 0));
            assert!(!attributes(&span).contains_key("exception.message"));
        }
    });
}

/// Guarantees: `#[instrument(err)]` makes the span of its function red, with the error's text, also
/// below ERROR and for `Debug`. An event of the same form from another line does not.
#[test]
fn a_function_with_instrument_err_makes_its_span_red_and_no_other_event_does() {
    #[tracing::instrument(err)]
    fn fails() -> Result<(), std::io::Error> {
        Err(std::io::Error::other("disk full"))
    }
    #[tracing::instrument(err(Debug, level = "info"))]
    async fn fails_later() -> Result<(), String> {
        tokio::task::yield_now().await;
        Err("later".to_owned())
    }
    #[tracing::instrument(err)]
    fn calls() -> Result<(), std::io::Error> {
        let _ = fails();
        tracing::error!(error = "of another line");
        Ok(())
    }
    each(|fixture| {
        let _ = calls();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _ = runtime.block_on(fails_later());
        for (name, text) in [("fails", "disk full"), ("fails_later", "\"later\"")] {
            let span = fixture.span(name);
            assert_eq!(span.status, Status::error(text), "{name}");
            let [exception] = &span.events[..] else { panic!("{name}: {:?}", span.events) };
            assert_eq!(exception.name, "exception");
            assert_eq!(exception.attributes, [KeyValue::new("exception.message", text)]);
        }
        let calls = fixture.span("calls");
        assert_eq!((calls.status, calls.events.len()), (Status::Unset, 0));
    });
}

#[test]
fn instrument_err_can_be_turned_off() {
    use opentelemetry::trace::TracerProvider;
    use tracing_subscriber::layer::SubscriberExt;

    #[tracing::instrument(err)]
    fn fails() -> Result<(), String> {
        Err("on purpose".to_owned())
    }
    let (provider, spans) = kept_spans();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let subscriber =
        tracing_subscriber::registry().with(spanlog::SpanLayer::new(layer).with_instrument_err(false));
    tracing::subscriber::with_default(subscriber, || fails().unwrap_err());
    let span = &spans.get_finished_spans().unwrap()[0];
    assert_eq!((span.status.clone(), span.events.len()), (Status::Unset, 0));
}

/// Guarantees: tracing-opentelemetry's layer with a counting filter can be wrapped like the layer
/// itself: no event reaches it.
#[test]
fn a_layer_with_a_counting_filter_can_be_wrapped() {
    use opentelemetry::trace::TracerProvider;
    use tracing_subscriber::filter::LevelFilter;
    use tracing_subscriber::layer::SubscriberExt;

    let (provider, spans) = kept_spans();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("test"))
        .with_counting_event_filter(LevelFilter::ERROR);
    let subscriber = tracing_subscriber::registry().with(spanlog::SpanLayer::new(layer));
    tracing::subscriber::with_default(subscriber, || {
        tracing::info_span!("span").in_scope(|| tracing::error!("said"));
    });
    let span = &spans.get_finished_spans().unwrap()[0];
    assert_eq!((span.status.clone(), span.events.len()), (Status::Unset, 0));
}

#[test]
fn the_duration_is_from_start_to_end_not_to_the_last_exit() {
    each(|fixture| {
        // A span that began at its first entry or ended at its last exit would be outside of these
        // ranges.
        let pause = || std::thread::sleep(Duration::from_millis(2));
        let before = SystemTime::now();
        let op = op::start("t", "o", []);
        let started = SystemTime::now();
        pause();
        op.in_scope(|| ());
        pause();
        let left = SystemTime::now();
        op.end(&Ok::<(), String>(()));
        let ended = SystemTime::now();
        let span = fixture.span("t.o");
        assert!((before..=started).contains(&span.start_time), "{span:?}");
        assert!((left..=ended).contains(&span.end_time), "{span:?}");
    });
}

#[test]
fn downcasts_get_otel_context_and_set_parent_work_through_the_span_layer() {
    use opentelemetry::trace::TraceContextExt;
    use tracing_opentelemetry::OpenTelemetrySpanExt;
    each(|fixture| {
        let span = tracing::info_span!("span");
        span.set_parent(remote_context()).unwrap();
        span.set_attribute("dynamic", 1);
        assert_eq!(span.context().span().span_context().trace_id(), REMOTE_TRACE);
        let ids = fixture.ids_of(&span).unwrap();
        assert_eq!(ids.0, REMOTE_TRACE);
        drop(span);
        let finished = fixture.span("span");
        assert_eq!(attributes(&finished)["dynamic"], "1");
        assert_eq!(finished.parent_span_id, REMOTE_SPAN);
        assert_eq!(ids_of(&finished), ids);
    });
}

/// Keeps the messages of expected panics out of the test output.
struct QuietPanics;

impl QuietPanics {
    fn new() -> Self {
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(|| {
            let hook = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                let expected = ["one", "two", "three", "unwinds"];
                let message = info.payload().downcast_ref::<&str>().copied().unwrap_or_default();
                if !expected.contains(&message) {
                    hook(info);
                }
            }));
        });
        Self
    }
}

#[test]
fn a_neighbours_panic_cancels_an_op_and_does_not_make_it_red() {
    let fixture = USUAL.build();
    fixture.run(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let joined = catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(async {
                tokio::join!(
                    op::run_async("t", "slow", [], std::future::pending::<Result<(), String>>()),
                    async { std::panic::resume_unwind(Box::new("a neighbour's")) },
                )
            })
        }));
        assert!(joined.is_err());
    });
    let span = fixture.span("t.slow");
    assert_eq!((outcome(&span).as_deref(), &span.status), (Some("cancelled"), &Status::Unset));
}

#[test]
fn executions_and_steps_name_their_callers_too() {
    let fixture = USUAL.build();
    fixture.run(|| {
        let execution = job::execution(JobMetadata::new("j", "e"), "deploy");
        execution.step("plan").end(&Ok::<(), String>(()));
        execution.end(&Ok::<(), String>(()));
    });
    for name in ["job.deploy", "step.plan"] {
        assert_eq!(attributes(&fixture.span(name))["code.file.path"], file!(), "{name}");
    }
}

#[test]
fn what_a_panicked_future_holds_is_dropped_inside_its_op() {
    struct Logs;
    impl Drop for Logs {
        fn drop(&mut self) {
            tracing::warn!("dropped");
        }
    }
    let fixture = USUAL.build();
    fixture.run(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let logs = Logs;
        let future = std::future::poll_fn(move |_| -> std::task::Poll<Result<(), String>> {
            let _ = &logs;
            std::panic::resume_unwind(Box::new("polled"))
        });
        let _ = catch_unwind(AssertUnwindSafe(|| runtime.block_on(op::run_async("t", "o", [], future))));
    });
    let span = fixture.span("t.o");
    assert_eq!(fixture.record("dropped").ids.unwrap().1, span.span_context.span_id());
    assert_eq!(outcome(&span).as_deref(), Some("panicked"));
}
