//! Contract §3: job metadata on every record and every span.

use std::collections::BTreeMap;

use opentelemetry::trace::Tracer;
use opentelemetry::{Context, KeyValue};
use spanlog::job::{self, FutureExt as _};
use spanlog::{op, JobMetadata, JobSpanProcessor, Keys, LogLayer, SpanLayer};
use tracing::Instrument;

use crate::fixture::capture::Capture;
use crate::fixture::spans::{ids_of, remote_context, SamplerFn, REMOTE_TRACE};
use crate::fixture::{ask_log, attributes, each, within, Arrangement, Fixture, Hooks, Spans, USUAL};

fn full() -> JobMetadata {
    JobMetadata::new("job-1", "exec-1")
        .with_step("plan")
        .with_group("deploys")
        .with_operation("apply")
        .with_executor("local")
        .with_org_id("org-1")
        .with_install_id("install-1")
        .with_log_stream_id("stream-1")
}

fn job(id: &str) -> JobMetadata {
    JobMetadata::new(id.to_owned(), format!("exec of {id}"))
}

#[track_caller]
fn assert_job(fixture: &Fixture, job: Option<&str>, bodies: &[&str]) {
    for body in bodies {
        assert_eq!(fixture.record(body).text("runner_job.id"), job, "{body}");
    }
}

fn with_layers() -> Vec<Arrangement> {
    Arrangement::with_span_layer().into_iter().chain(Arrangement::without_spans()).collect()
}

#[test]
fn all_nine_keys_are_on_records_and_spans_under_the_default_names() {
    let fixture = USUAL.build();
    fixture.run(|| {
        job::scope(full(), || tracing::info_span!("span").in_scope(|| tracing::info!("record")));
    });
    let expected = BTreeMap::from([
        ("runner_job.id", "job-1"),
        ("runner_job_execution.id", "exec-1"),
        ("runner_job_execution_step.name", "plan"),
        ("runner_job.group", "deploys"),
        ("runner_job.operation", "apply"),
        ("runner_job.executor", "local"),
        ("org.id", "org-1"),
        ("install.id", "install-1"),
        ("log_stream.id", "stream-1"),
    ]);
    let record = fixture.record("record");
    let span = attributes(&fixture.span("span"));
    for (key, value) in expected {
        assert_eq!(record.text(key), Some(value), "{key}");
        assert_eq!(span.get(key).map(String::as_str), Some(value), "{key}");
    }
    assert_eq!(record.attributes.len(), 9);
}

#[test]
fn empty_values_are_absent() {
    let fixture = USUAL.build();
    fixture.run(|| {
        job::scope(JobMetadata::new("job-1", ""), || {
            tracing::info_span!("span").in_scope(|| tracing::info!("record"));
        });
    });
    assert_eq!(fixture.record("record").keys(), ["runner_job.id"]);
    assert!(!attributes(&fixture.span("span")).contains_key("runner_job_execution.id"));
}

#[test]
fn one_keys_value_renames_everything() {
    use opentelemetry::trace::TracerProvider;
    use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
    use tracing_subscriber::layer::SubscriberExt;

    for keys in
        [Keys::cicd(), Keys::gen_ai(), Keys::nuon().with_job_id("my.job").with_tool(format!("my.{}", "tool"))]
    {
        let (logs, spans) = (Capture::default(), InMemorySpanExporter::default());
        let tracer_provider = SdkTracerProvider::builder()
            .with_span_processor(JobSpanProcessor::new().with_keys(keys))
            .with_simple_exporter(spans.clone())
            .build();
        let tracer = tracer_provider.tracer("test");
        let subscriber = tracing_subscriber::registry()
            .with(SpanLayer::new(tracing_opentelemetry::layer().with_tracer(tracer.clone())).with_keys(keys))
            .with(LogLayer::new(&logs.provider()).with_keys(keys));
        tracing::subscriber::with_default(subscriber, || {
            job::scope(job("j"), || {
                spanlog::op::start("git", "clone", []).in_scope(|| {
                    tracing::info!("x");
                    drop(tracer.start("api"));
                });
            });
        });
        let on_record = |key: &str| {
            logs.map(|record| record.attributes_iter().any(|(known, _)| known.as_str() == key)) == [true]
        };
        for key in [keys.job_id(), keys.execution_id(), keys.tool(), keys.operation()] {
            assert!(on_record(key), "{key}");
        }
        for span in spans.get_finished_spans().unwrap() {
            let attributes = attributes(&span);
            assert!(attributes.contains_key(keys.job_id()), "{span:?}");
            assert_eq!(
                attributes.contains_key("nuon.tool"),
                span.name != "api" && keys.tool() == "nuon.tool"
            );
        }
    }
    assert_eq!(Keys::cicd().step_name(), "cicd.pipeline.task.name");
}

#[test]
fn every_record_of_a_job_carries_it_whatever_the_layers() {
    each(Arrangement::all(), |fixture| {
        let line = |name: &str| {
            ask_log(fixture.arrangement);
            tracing::warn!("{name}");
        };
        let outside = tracing::info_span!("made outside");
        line("before");
        job::scope(job("one"), || {
            line("bare");
            tracing::info_span!("inside").in_scope(|| line("in a span"));
            outside.in_scope(|| line("in a span from outside"));
            tracing::warn!(parent: None, "explicit root");
            tracing::debug_span!("filtered").in_scope(|| line("in a filtered span"));
        });
        line("after");
        assert_job(
            fixture,
            Some("one"),
            &["bare", "in a span", "in a span from outside", "explicit root", "in a filtered span"],
        );
        assert_job(fixture, None, &["before", "after"]);
    });
}

/// Guarantees: every span started inside a job carries the job, in every arrangement with
/// `SpanLayer`.
#[test]
fn every_span_started_inside_the_job_carries_it_whoever_made_it() {
    #[tracing::instrument]
    fn instrumented() {
        tracing::warn!("from instrument");
    }
    each(Arrangement::with_sampled_span_layer(), |fixture| {
        let outside = tracing::info_span!("made outside");
        let _around = tracing::info_span!("around").entered();
        tracing::warn!("starts around");
        job::scope(job("one"), || {
            instrumented();
            drop(tracing::info_span!("never entered"));
            drop(fixture.tracer.start("api in scope"));
            let unlogged = tracing::info_span!("asked for its context");
            let _ = tracing_opentelemetry::OpenTelemetrySpanExt::context(&unlogged);
            outside.in_scope(|| {
                drop(fixture.tracer.start("api in a span from outside"));
                tracing::info_span!("child of a span from outside").in_scope(|| ());
            });
        });
        drop(outside);
        drop(fixture.tracer.start("api outside"));
        for name in [
            "instrumented",
            "never entered",
            "api in scope",
            "asked for its context",
            "api in a span from outside",
            "child of a span from outside",
        ] {
            let attributes = attributes(&fixture.span(name));
            let found = attributes.get("runner_job.id").map(String::as_str);
            assert_eq!(found, Some("one"), "{name}");
        }
        for name in ["made outside", "api outside"] {
            assert!(!attributes(&fixture.span(name)).contains_key("runner_job.id"), "{name}");
        }
    });
}

/// Except for the stated limits: with a plain layer and activation off, a span never entered, and a
/// scope opened inside an existing span.
#[test]
fn a_plain_span_layer_carries_the_job_within_its_stated_limits() {
    let arrangements = Arrangement::with_spans().into_iter();
    let arrangements = arrangements.filter(|it| it.spans == Spans::Plain && it.sampled).collect();
    each(arrangements, |fixture| {
        job::scope(job("one"), || {
            tracing::info_span!("entered").in_scope(|| {
                tracing::info_span!("child").in_scope(|| ());
                drop(fixture.tracer.start("api"));
            });
        });
        for name in ["entered", "child", "api"] {
            let attributes = attributes(&fixture.span(name));
            assert_eq!(attributes.get("runner_job.id").map(String::as_str), Some("one"), "{name}");
        }
    });
}

#[test]
fn samplers_see_the_job_on_spans_of_the_span_layer() {
    let only_jobs = SamplerFn(|_, _: &str, attributes: &[KeyValue]| {
        attributes.iter().any(|attribute| attribute.key.as_str() == "runner_job.id")
    });
    let fixture = USUAL.build_traced(|provider| provider.with_sampler(only_jobs));
    fixture.run(|| {
        tracing::info_span!("outside").in_scope(|| ());
        job::scope(job("one"), || tracing::info_span!("inside").in_scope(|| ()));
    });
    assert_eq!(fixture.spans().iter().map(|span| span.name.as_ref()).collect::<Vec<_>>(), ["inside"]);
}

/// Guarantees: user code that runs inside the start of a span may call `job::set`. Nothing hangs, and
/// later records have the stamp.
#[test]
fn set_while_a_span_is_started_sets_the_scope_and_does_not_hang() {
    #[derive(Debug, Default)]
    struct SettingIds(opentelemetry_sdk::trace::RandomIdGenerator);
    impl opentelemetry_sdk::trace::IdGenerator for SettingIds {
        fn new_trace_id(&self) -> opentelemetry::TraceId {
            self.0.new_trace_id()
        }

        fn new_span_id(&self) -> opentelemetry::SpanId {
            job::set("set.by.ids", "x");
            self.0.new_span_id()
        }
    }

    for arrangement in Arrangement::with_spans().into_iter().filter(|it| it.sampled) {
        within(20, &format!("{arrangement:?}"), move || {
            let sampler = SamplerFn(|_, _: &str, _: &[KeyValue]| {
                job::set("set.by.sampler", "x");
                true
            });
            let fixture = arrangement.build_traced(|provider| {
                provider.with_sampler(sampler).with_id_generator(SettingIds::default()).with_span_processor(
                    Hooks { start: || job::set("set.by.processor", "x"), end: || (), shutdown: || () },
                )
            });
            fixture.run(|| {
                job::scope(job("one"), || {
                    tracing::info_span!("outer").in_scope(|| {
                        tracing::info_span!("inner").in_scope(|| tracing::warn!("in inner"));
                        op::run("t", "o", [], || Ok::<(), String>(())).unwrap();
                    });
                    tracing::warn!("after");
                });
            });
            let after = fixture.record("after");
            for key in ["set.by.sampler", "set.by.ids", "set.by.processor"] {
                assert_eq!(after.text(key), Some("x"), "{key}");
            }
        });
    }
}

#[test]
fn an_inner_scope_replaces_the_whole_value() {
    let fixture = USUAL.build();
    fixture.run(|| {
        job::scope(full(), || {
            job::scope(job("inner"), || tracing::info!("inner"));
            tracing::info!("outer again");
            job::scope(job::current().unwrap().with_step("apply"), || tracing::info!("step"));
        });
    });
    assert_eq!(fixture.record("inner").keys(), ["runner_job.id", "runner_job_execution.id"]);
    assert_eq!(fixture.record("outer again").attributes.len(), 9);
    assert_eq!(fixture.record("step").text("runner_job_execution_step.name"), Some("apply"));
    assert_eq!(fixture.record("step").text("org.id"), Some("org-1"));
}

/// Guarantees: an event with an explicit parent takes that span's job, `parent: None` keeps the
/// ambient one, and an entered span of another job brings its own.
#[test]
fn a_records_stamps_and_ids_never_come_from_two_jobs() {
    each(with_layers(), |fixture| {
        let of_a = job::scope(job("a"), || tracing::info_span!("of a"));
        job::scope(job("b"), || {
            ask_log(fixture.arrangement);
            tracing::warn!(parent: &of_a, "explicit");
            tracing::warn!(parent: None, "root");
            of_a.in_scope(|| {
                tracing::warn!("entered");
                let child = tracing::info_span!("child of a");
                child.in_scope(|| tracing::warn!("in the child"));
            });
            tracing::info_span!(parent: &of_a, "explicit child of a")
                .in_scope(|| tracing::warn!("in the explicit child"));
            tracing::warn!("b again");
        });
        assert_job(fixture, Some("a"), &["explicit", "entered", "in the child", "in the explicit child"]);
        assert_job(fixture, Some("b"), &["root", "b again"]);
        if fixture.arrangement.spans == Spans::Ours && fixture.arrangement.sampled {
            drop(of_a);
            for name in ["of a", "child of a", "explicit child of a"] {
                assert_eq!(attributes(&fixture.span(name))["runner_job.id"], "a", "{name}");
            }
        }
    });
}

#[test]
fn a_context_that_carries_the_job_brings_it_where_it_is_attached() {
    each(Arrangement::all(), |fixture| {
        let of_a = job::scope(job("a"), Context::current);
        job::scope(job("b"), || {
            let attached = of_a.clone().attach();
            tracing::warn!("a inside b");
            assert_eq!(job::current().unwrap().job_id(), "a");
            drop(attached);
            tracing::warn!("b again");
        });
        let dispatch = fixture.dispatch.clone();
        std::thread::spawn(move || {
            let _attached = of_a.attach();
            tracing::dispatcher::with_default(&dispatch, || tracing::warn!("a on a thread"));
        })
        .join()
        .unwrap();
        assert_job(fixture, Some("a"), &["a inside b", "a on a thread"]);
        assert_job(fixture, Some("b"), &["b again"]);
    });
}

#[test]
fn the_job_survives_await_and_the_helpers_that_carry_it() {
    for threads in [1, 2] {
        for arrangement in with_layers() {
            let fixture = arrangement.build();
            let runtime = match threads {
                1 => tokio::runtime::Builder::new_current_thread().build().unwrap(),
                _ => tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap(),
            };
            let dispatch = fixture.dispatch.clone();
            let under = move |body: &'static str| {
                tracing::dispatcher::with_default(&dispatch, || {
                    ask_log(arrangement);
                    tracing::warn!("{body}");
                });
            };
            runtime.block_on(
                async {
                    under("before await");
                    tokio::task::yield_now().await;
                    under("after await");
                    let run = under.clone();
                    job::spawn(async move {
                        tokio::task::yield_now().await;
                        run("spawned");
                    })
                    .await
                    .unwrap();
                    let run = under.clone();
                    job::spawn_blocking(move || run("blocking")).await.unwrap();
                    let run = under.clone();
                    job::thread(move || run("thread")).join().unwrap();
                    let run = under.clone();
                    tokio::spawn(async move { run("not carried") }).await.unwrap();
                }
                .with_job(job("one")),
            );
            under("outside");
            assert_job(
                &fixture,
                Some("one"),
                &["before await", "after await", "spawned", "blocking", "thread"],
            );
            assert_job(&fixture, None, &["not carried", "outside"]);
        }
    }
}

#[test]
fn with_job_adds_only_the_job_and_leaves_the_pollers_span() {
    let fixture = USUAL.build();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    fixture.run(|| {
        let span = tracing::info_span!("poller");
        let made_in = tracing::info_span!("where it was made");
        let future = made_in.in_scope(|| async { tracing::info!("polled") }.with_job(job("one")));
        runtime.block_on(future.instrument(span.clone()));
        fixture.assert_in_span("polled", &span);
    });
}

#[test]
fn a_future_that_is_dropped_is_dropped_inside_its_job() {
    struct Logs;
    impl Drop for Logs {
        fn drop(&mut self) {
            tracing::info!("dropped");
        }
    }
    let fixture = USUAL.build();
    fixture.run(|| {
        let logs = Logs;
        drop(async move { drop(logs) }.with_job(job("one")));
    });
    assert_job(&fixture, Some("one"), &["dropped"]);
}

#[test]
fn set_adds_a_stamp_to_the_current_span_to_later_records_and_to_spans_started_later_once_each() {
    each(Arrangement::with_sampled_span_layer(), |fixture| {
        job::scope(job("one"), || {
            let current = tracing::info_span!("current").entered();
            tracing::warn!("before");
            let earlier = tracing::info_span!("earlier");
            job::set("build.id", 7);
            tracing::warn!("after");
            tracing::info_span!("later").in_scope(|| tracing::warn!("in later"));
            earlier.in_scope(|| tracing::warn!("in earlier"));
            drop(fixture.tracer.start("api"));
            job::set("build.id", 7);
            drop(current);
            tracing::info_span!("much later").in_scope(|| ());
            spanlog::op::start("git", "clone", []).in_scope(|| ());
        });
        tracing::warn!("outside");
        for body in ["before", "outside"] {
            assert_eq!(fixture.record(body).get("build.id"), None, "{body}");
        }
        for body in ["after", "in later", "in earlier"] {
            assert_eq!(
                fixture.record(body).get("build.id"),
                Some(&opentelemetry::logs::AnyValue::Int(7)),
                "{body}"
            );
        }
        for name in ["current", "later", "api", "much later", "git.clone"] {
            let attributes = attributes(&fixture.span(name));
            assert_eq!(attributes.get("build.id").map(String::as_str), Some("7"), "{name}");
        }
    });
}

#[test]
fn the_runners_spans_are_job_and_step_with_the_tool_runner() {
    each(Arrangement::with_sampled_span_layer(), |fixture| {
        let execution = job::execution(job("one"), "deploy");
        let result = execution.in_scope(|| {
            tracing::warn!("in the job");
            execution.step("plan").run(|| {
                tracing::warn!("in the step");
                spanlog::op::run("terraform", "plan", [], || {
                    tracing::warn!("in the op");
                    Err::<(), _>("no state")
                })
            })
        });
        execution.end(&result);
        let (root, step, op) =
            (fixture.span("job.deploy"), fixture.span("step.plan"), fixture.span("terraform.plan"));
        assert_eq!(step.parent_span_id, root.span_context.span_id());
        assert_eq!(op.parent_span_id, step.span_context.span_id());
        for span in [&root, &step, &op] {
            let attributes = attributes(span);
            assert_eq!(attributes["runner_job.id"], "one");
            let tool = if span.name == "terraform.plan" { "terraform" } else { "runner" };
            assert_eq!(attributes["nuon.tool"], tool);
            let is_root = span.name == "job.deploy";
            assert_eq!(attributes.contains_key("runner_job_execution_step.name"), !is_root);
            assert_eq!(span.status, opentelemetry::trace::Status::error("no state"));
        }
        assert_eq!(fixture.record("in the step").text("runner_job_execution_step.name"), Some("plan"));
        assert_eq!(fixture.record("in the op").text("runner_job_execution_step.name"), Some("plan"));
        assert_eq!(fixture.record("in the job").get("runner_job_execution_step.name"), None);
        assert_eq!(fixture.record("in the job").text("nuon.tool"), Some("runner"));
        for (body, span) in [("in the job", root), ("in the step", step), ("in the op", op)] {
            assert_eq!(fixture.record(body).ids, Some(ids_of(&span)), "{body}");
        }
    });
}

/// A root span that is open for long must not grow with what is logged in it: `tests/growth.rs`
/// counts bytes, this counts what the exporter sees.
#[test]
fn a_long_open_span_collects_no_events() {
    for entered in [true, false] {
        let fixture: Fixture = USUAL.build();
        fixture.run(|| {
            let root = tracing::info_span!("root");
            for _ in 0..100 {
                if entered {
                    root.in_scope(|| tracing::error!("x"));
                } else {
                    tracing::error!(parent: &root, "x");
                }
            }
        });
        let root = fixture.span("root");
        assert!(root.events.is_empty());
        assert_eq!(root.status, opentelemetry::trace::Status::Unset);
    }
}

#[test]
fn with_a_remote_parent_in_the_context_the_job_and_the_trace_both_hold() {
    let fixture = USUAL.build();
    fixture.run(|| {
        let _attached = remote_context().attach();
        let execution = job::execution(job("one"), "deploy");
        execution.in_scope(|| tracing::info!("x"));
        execution.end(&Ok::<(), String>(()));
    });
    assert_eq!(fixture.span("job.deploy").span_context.trace_id(), REMOTE_TRACE);
    assert_job(&fixture, Some("one"), &["x"]);
}

/// Guarantees: a span of no job is transparent also where the job came with a `Context`, whatever
/// the enclosing scope.
#[test]
fn a_job_in_the_context_goes_through_a_span_of_no_job() {
    each(Arrangement::with_span_layer(), |fixture| {
        let of_a = job::scope(job("a"), Context::current);
        let outside = tracing::info_span!("outside");
        {
            let _attached = of_a.clone().attach();
            outside.in_scope(|| {
                tracing::warn!("alone");
                tracing::info_span!("child").in_scope(|| tracing::warn!("in the child"));
            });
        }
        job::scope(job("b"), || {
            let attached = of_a.clone().attach();
            outside.in_scope(|| tracing::warn!("inside b"));
            drop(attached);
            tracing::warn!("b again");
        });
        assert_job(fixture, Some("a"), &["alone", "in the child", "inside b"]);
        assert_job(fixture, Some("b"), &["b again"]);
        if fixture.arrangement.sampled {
            assert_eq!(attributes(&fixture.span("child"))["runner_job.id"], "a");
        }
    });
}

#[test]
fn a_span_that_is_given_a_parent_inside_a_job_belongs_to_it() {
    use tracing_opentelemetry::OpenTelemetrySpanExt;
    each(Arrangement::with_sampled_span_layer(), |fixture| {
        let of_a = job::scope(job("a"), Context::current);
        let span = tracing::info_span!("adopted");
        span.set_parent(of_a).unwrap();
        span.in_scope(|| {
            tracing::warn!("first");
            tracing::warn!("second");
        });
        drop(span);
        assert_eq!(attributes(&fixture.span("adopted"))["runner_job.id"], "a");
        assert_job(fixture, Some("a"), &["first", "second"]);
    });
}

#[test]
fn stamps_are_once_each_beside_a_spans_own_fields_and_whatever_set_says() {
    each(Arrangement::with_sampled_span_layer(), |fixture| {
        job::scope(job("one"), || {
            job::set("user", "of the job");
            job::set("runner_job.id", "set");
            tracing::info_span!("span", user = "own").in_scope(|| tracing::warn!("in span"));
            spanlog::op::start("t", "op", [KeyValue::new("user", "own")]).in_scope(|| ());
            let api = fixture.tracer.span_builder("api").with_attributes([KeyValue::new("org.id", "x")]);
            drop(api.start(&fixture.tracer));
            let asked = tracing::info_span!("asked");
            let _ = tracing_opentelemetry::OpenTelemetrySpanExt::context(&asked);
        });
        // `attributes` fails on a duplicate key.
        for (name, user) in [("span", "own"), ("t.op", "own"), ("api", "of the job"), ("asked", "of the job")]
        {
            let attributes = attributes(&fixture.span(name));
            assert_eq!(attributes["user"], user, "{name}");
            assert_eq!(attributes["runner_job.id"], "set", "{name}");
            assert_eq!(attributes["runner_job_execution.id"], "exec of one", "{name}");
        }
        let record = fixture.record("in span");
        assert_eq!((record.text("user"), record.text("runner_job.id")), (Some("own"), Some("set")));
    });
}

#[test]
fn set_reaches_each_current_span_also_with_a_value_that_another_has() {
    let fixture = USUAL.build();
    fixture.run(|| {
        job::scope(job("one"), || {
            let (a, b) = (tracing::info_span!("a"), tracing::info_span!("b"));
            a.in_scope(|| job::set("k", 1));
            b.in_scope(|| {
                job::set("k", 1);
                job::set("k", 1);
            });
        });
    });
    for name in ["a", "b"] {
        assert_eq!(attributes(&fixture.span(name))["k"], "1");
    }
}

#[test]
fn a_field_from_outside_does_not_beat_the_stamps_of_an_inner_job_or_op() {
    let fixture = USUAL.build();
    fixture.run(|| {
        let _request = tracing::info_span!("request", org.id = "outer", nuon.tool = "outer").entered();
        job::scope(job("one").with_org_id("inner"), || {
            tracing::info!("in the job");
            let outer = [KeyValue::new("nuon.op", "special")];
            let _ = spanlog::op::run("git", "clone", outer, || {
                tracing::info!("in the outer op");
                spanlog::op::run("helm", "up", [], || {
                    tracing::info!("in the inner op");
                    Ok::<_, String>(())
                })
            });
        });
    });
    assert_eq!(fixture.record("in the job").text("org.id"), Some("inner"));
    let op = |body: &str| {
        let record = fixture.record(body);
        (record.text("nuon.tool").unwrap().to_owned(), record.text("nuon.op").unwrap().to_owned())
    };
    assert_eq!(op("in the outer op"), ("git".into(), "special".into()));
    assert_eq!(op("in the inner op"), ("helm".into(), "up".into()));
}

/// Scenario: a layer is reloaded away while a span of a job is entered, and another one is put in
/// its place.
#[test]
fn a_job_does_not_stick_to_the_thread_after_a_reload() {
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::reload;

    let records = Capture::default();
    let provider = records.provider();
    let (layer, handle) = reload::Layer::new(Some(LogLayer::new(&provider)));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let entered = job::scope(job("one"), || tracing::info_span!("span").entered());
        handle.reload(None).unwrap();
        drop(entered);
        handle.reload(Some(LogLayer::new(&provider))).unwrap();
        tracing::info!("later");
        assert_eq!(job::current(), None);
    });
    assert_eq!(records.map(|record| record.attributes_iter().count()), [0]);
}

/// Guarantees: a scope that is opened inside another job's span gives records its stamps, and they
/// keep that span's ids.
#[test]
fn a_scope_inside_another_jobs_span_gives_its_stamps_with_that_spans_ids() {
    each(with_layers(), |fixture| {
        let span = job::scope(job("outer"), || tracing::info_span!("span"));
        span.in_scope(|| {
            job::scope(job("inner"), || tracing::warn!("inside"));
            tracing::warn!("after");
        });
        for (body, job) in [("inside", "inner"), ("after", "outer")] {
            if fixture.arrangement.spans != Spans::None {
                fixture.assert_in_span(body, &span);
            }
            assert_job(fixture, Some(job), &[body]);
        }
    });
}

#[test]
fn metadata_has_further_attributes_of_any_name_and_a_job_can_change_them() {
    each(Arrangement::with_sampled_span_layer(), |fixture| {
        let metadata = job("one").with("team", "infra").with("team", "platform").with("empty", "");
        assert_eq!((metadata.get("team"), metadata.get("empty")), (Some("platform"), None));
        job::scope(metadata.with("org.id", "org-7"), || {
            tracing::info_span!("first").in_scope(|| tracing::warn!("in first"));
            assert_eq!(job::current().unwrap().get("team"), Some("platform"));
            job::set("team", "other");
            tracing::info_span!("second").in_scope(|| tracing::warn!("in second"));
        });
        tracing::warn!("outside");
        for (body, span, team) in [("in first", "first", "platform"), ("in second", "second", "other")] {
            assert_eq!(fixture.record(body).text("team"), Some(team));
            let span = fixture.span(span);
            let values = |name: &str| {
                let found = span.attributes.iter().filter(|attribute| attribute.key.as_str() == name);
                found.map(|attribute| attribute.value.to_string()).collect::<Vec<_>>()
            };
            assert_eq!((values("team"), values("org.id")), (vec![team.to_owned()], vec!["org-7".to_owned()]));
            assert!(values("empty").is_empty());
        }
        assert_eq!(fixture.record("outside").get("team"), None);
    });
}

#[test]
fn a_step_needs_no_execution_in_hand_and_ends_with_its_result() {
    each(Arrangement::with_sampled_span_layer(), |fixture| {
        let execution = job::execution(job("one"), "deploy");
        let result = execution.in_scope(|| {
            let planned = job::step("plan").run(|| {
                tracing::warn!("planning");
                Ok::<_, String>(3)
            });
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let applied = runtime.block_on(job::step("apply").instrument(async {
                tracing::warn!("applying");
                Err::<(), _>("denied".to_owned())
            }));
            assert_eq!((planned, applied), (Ok(3), Err("denied".to_owned())));
            Ok::<_, String>(())
        });
        execution.end(&result);
        let root = fixture.span("job.deploy");
        for (name, body) in [("plan", "planning"), ("apply", "applying")] {
            let span = fixture.span(&format!("step.{name}"));
            assert_eq!(span.parent_span_id, root.span_context.span_id());
            let record = fixture.record(body);
            assert_eq!(record.text("runner_job_execution_step.name"), Some(name));
            assert_eq!(record.text("runner_job.id"), Some("one"));
        }
        assert_eq!(fixture.span("step.apply").status, opentelemetry::trace::Status::error("denied"));
        // Outside any job it is a span without one.
        let alone = job::step("alone");
        alone.in_scope(|| tracing::warn!("alone"));
        alone.end(&Ok::<(), String>(()));
        assert_eq!(fixture.record("alone").text("runner_job.id"), None);
        assert_eq!(fixture.span("step.alone").parent_span_id, opentelemetry::SpanId::INVALID);
    });
}

/// Guarantees: the preset has the names of the conventions, which call theirs deprecated only because they moved
/// to a repository of their own.
#[test]
#[expect(deprecated, reason = "the constants of the conventions moved")]
fn the_names_for_generative_ai_are_those_of_the_conventions() {
    use opentelemetry_semantic_conventions::attribute as semconv;
    let keys = Keys::gen_ai();
    let names = [keys.tool(), keys.operation(), keys.job_id(), keys.group(), keys.executor()];
    let expected = [
        semconv::GEN_AI_TOOL_NAME,
        semconv::GEN_AI_OPERATION_NAME,
        semconv::GEN_AI_CONVERSATION_ID,
        semconv::GEN_AI_WORKFLOW_NAME,
        semconv::GEN_AI_AGENT_NAME,
    ];
    assert_eq!(names, expected);
}
