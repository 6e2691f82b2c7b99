//! The corpus.

use std::error::Error;
use std::fmt;

use opentelemetry::trace::{TraceContextExt, Tracer};
use opentelemetry::Context;
use spanlog::{job, op, JobMetadata};
use tracing::field::Empty;
use tracing::{debug, error, event, info, info_span, trace, warn, Level};

use crate::fixture::Fixture;
use crate::script::{Parent, Script, Spans};
use crate::spans::remote_context;

/// Every script, each of them with one reason to exist.
pub(crate) fn corpus() -> Vec<Script> {
    let parts = [values(), messages(), errors(), spans(), parents(), log_facade(), ours_alone()];
    parts.into_iter().flatten().collect()
}

fn values() -> Vec<Script> {
    vec![
        Script::new("plain-line", |_| info!(user = "ann", attempt = 3, "logged in")),
        Script::new("levels", |_| {
            trace!("trace");
            debug!("debug");
            info!("info");
            warn!("warn");
            error!("error");
        }),
        Script::new("bools-and-integers", |_| {
            info!(yes = true, no = false, below = -1_i64, byte = 255_u8, most = i64::MAX, "integers");
            info!(small = 7_u64, fits = i64::MAX as u64, huge = u64::MAX, "unsigned");
            info!(small = -7_i128, huge = i128::MIN, "wide");
            info!(small = 7_u128, huge = u128::MAX, "wide and unsigned");
        }),
        Script::new("floats", |_| {
            info!(half = 0.5, single = 0.1_f32, nan = f64::NAN, "floats");
            info!(up = f64::INFINITY, down = f64::NEG_INFINITY, zero = -0.0, "more floats");
        }),
        Script::new("strings", |_| {
            info!(text = "grüß", empty = "", owned = String::from("owned"), lines = "a\nb\"c\"", "strings");
        }),
        Script::new("bytes", |_| info!(bytes = &b"\x00\xff"[..], none = &b""[..], "bytes")),
        Script::new("debug-and-display", |_| {
            let point = Point { x: 1, y: -2 };
            info!(shown = ?point, text = ?"quoted", list = ?[1, 2], pretty = %"plain", "formatted");
            info!(?point, "shorthand");
        }),
        Script::new("absent-values", |_| {
            info!(none = None::<i64>, some = Some(1), empty = Empty, "absent");
        }),
        Script::new("odd-names", |_| {
            info!(r#type = "t", "with space" = 1, http.route = "/", service.name = "mine", "names");
        }),
        Script::new("log-fields-of-an-event", |_| {
            info!(log.target = "mine", log.line = 4, "not a log record")
        }),
        Script::new("panicking-debug", |_| info!(hostile = ?Panics, after = 1, "kept")),
    ]
}

fn messages() -> Vec<Script> {
    vec![
        Script::new("message-formatted", |_| info!("attempt {} of {total}", 1, total = 3)),
        Script::new("message-literal-field", |_| info!(message = "as a field")),
        Script::new("message-debug", |_| info!(message = ?Point { x: 1, y: 2 })),
        Script::new("message-empty", |_| info!(user = "ann", "")),
        Script::new("message-none", |_| info!(user = "ann")),
        Script::new("message-number", |_| info!(message = 42)),
        Script::new("message-other-types", |_| {
            info!(message = true);
            info!(message = 0.5);
            info!(message = 42_u64);
            info!(message = &b"raw"[..]);
        }),
        Script::new("message-huge-number", |_| info!(message = u64::MAX)),
        Script::new("message-error", |_| info!(message = failure().as_dyn(), user = "ann")),
        Script::new("named-event", |_| {
            event!(name: "order.placed", Level::INFO, order = 7, "an order was placed");
        }),
        Script::new("named-event-without-message", |_| {
            event!(name: "order.placed", Level::INFO, order = 7);
        }),
        Script::new("own-target", |_| info!(target: "billing", "paid")),
        Script::new("severity-fatal", |_| error!(otel.severity_number = 21, "giving up")),
        Script::new("severity-out-of-range", |_| error!(otel.severity_number = 25, "no such number")),
        Script::new("control-fields-of-an-event", |_| info!(otel.name = "renamed", user = "ann", "controls")),
    ]
}

fn errors() -> Vec<Script> {
    vec![
        Script::new("error-with-causes", |_| {
            error!(error = failure().as_dyn(), path = "/data", "write failed");
        }),
        Script::new("error-without-causes", |_| error!(error = DiskFull.as_dyn(), "write failed")),
        Script::new("error-of-prose", |_| {
            let error: Box<dyn Error + Send + Sync> = "just words".into();
            error!(error = &*error as &dyn Error, "no type in its Debug");
        }),
        Script::new("error-displayed", |_| error!(error = %DiskFull, "write failed")),
        Script::new("error-debugged", |_| error!(err = ?DiskFull, "write failed")),
        Script::new("error-without-message", |_| error!(error = failure().as_dyn())),
        Script::new("error-text-without-message", |_| error!(err = %DiskFull, path = "/data")),
        Script::new("exception-keys-of-the-user", |_| {
            let span = info_span!("outer", exception.message = "the span's", exception.escaped = true);
            span.in_scope(|| error!(error = failure().as_dyn(), exception.message = "mine", "both"));
        }),
        Script::new("two-errors", |_| {
            error!(error = DiskFull.as_dyn(), cleanup = failure().as_dyn(), "write and cleanup failed");
        }),
        Script::new("error-of-a-span", |_| {
            let span = info_span!("retry", last = DiskFull.as_dyn());
            span.in_scope(|| warn!("again"));
        }),
        Script::new("errors-of-span-and-event", |_| {
            let span = info_span!("retry", last = DiskFull.as_dyn());
            span.in_scope(|| warn!(error = failure().as_dyn(), "again"));
        }),
    ]
}

fn spans() -> Vec<Script> {
    vec![
        Script::new("span-fields", |_| {
            let outer = info_span!("outer", tenant = "t1", big = u64::MAX, wide = i128::MIN, ok = true);
            let inner = info_span!(parent: &outer, "inner", ratio = 0.5, shown = ?Point { x: 0, y: 0 }, raw = &b"r"[..]);
            inner.in_scope(|| info!(user = "ann", "both"));
        }),
        Script::new("span-fields-without-span-layer", |_| {
            info_span!("outer", tenant = "t1").in_scope(|| info!(user = "ann", "inherits"));
        })
        .spans(Spans::None),
        Script::new("span-fields-by-default", |_| {
            info_span!("outer", tenant = "t1").in_scope(|| info!(user = "ann", "inherits"));
        })
        .without_span_attributes(),
        Script::new("span-message", |_| {
            info_span!("outer", "a span with {}", "words").in_scope(|| info!("inside"));
        }),
        Script::new("span-controls", |_| {
            let span = info_span!("outer", otel.kind = "server", otel.status_code = Empty, tenant = "t1");
            span.record("otel.status_code", "OK");
            span.in_scope(|| info!("inside"));
        }),
        Script::new("recorded-later", |_| {
            let span = info_span!("outer", rows = Empty, tenant = "t1");
            span.in_scope(|| {
                info!("before");
                span.record("rows", 12);
                info!("after");
            });
        }),
        Script::new("recorded-again", |_| {
            let span = info_span!("outer", state = "new", tenant = "t1");
            span.record("state", "done");
            span.in_scope(|| info!("after"));
        }),
        Script::new("inner-overrides-outer", |_| {
            let outer = info_span!("outer", user = "ann", tenant = "t1");
            let inner = info_span!(parent: &outer, "inner", user = "bob", step = 2);
            inner.in_scope(|| info!("inside"));
        }),
        Script::new("event-overrides-spans", |_| {
            let outer = info_span!("outer", user = "ann", tenant = "t1");
            let inner = info_span!(parent: &outer, "inner", user = "bob");
            inner.in_scope(|| info!(user = "eve", "inside"));
        }),
        Script::new("same-key-in-one-event", |_| {
            let (first, second) = (1, 2);
            info!(user = first, other = "x", user = second, "twice");
        }),
        Script::new("more-than-128-attributes", |_| {
            macro_rules! wide {
                ($name:ident) => {
                    info_span! {
                        "wide",
                        $name.a = 0, $name.b = 0, $name.c = 0, $name.d = 0, $name.e = 0, $name.f = 0,
                        $name.g = 0, $name.h = 0, $name.i = 0, $name.j = 0, $name.k = 0, $name.l = 0,
                        $name.m = 0, $name.n = 0, $name.o = 0, $name.p = 0, $name.q = 0, $name.r = 0,
                        $name.s = 0, $name.t = 0, $name.u = 0, $name.v = 0, $name.w = 0, $name.x = 0,
                        $name.y = 0, $name.z = 0
                    }
                };
            }
            let _one = wide!(one).entered();
            let _two = wide!(two).entered();
            let _three = wide!(three).entered();
            let _four = wide!(four).entered();
            let _five = wide!(five).entered();
            info!(user = "ann", "too much");
        }),
    ]
}

fn in_and_out(_: &Fixture) {
    info!("outside");
    let outer = info_span!("outer");
    outer.in_scope(|| {
        info!("in outer");
        info_span!("inner").in_scope(|| info!("in inner"));
        info!("in outer again");
    });
    outer.in_scope(|| info!("entered again"));
}

fn parents() -> Vec<Script> {
    vec![
        Script::new("contextual", in_and_out),
        Script::new("contextual-unsampled", in_and_out).unsampled(),
        Script::new("contextual-without-activation", in_and_out).without_activation(),
        Script::new("contextual-plain-layer", |_| {
            info_span!("outer").in_scope(|| info_span!("inner").in_scope(|| info!("in inner")));
        })
        .spans(Spans::Plain),
        Script::new("no-span-layer", |_| {
            let span = info_span!("outer");
            span.in_scope(|| info!("in a span that nobody traces"));
        })
        .spans(Spans::None),
        Script::new("api-span", |fixture| {
            let api = Context::current_with_span(fixture.tracer.start("api"));
            let _attached = api.attach();
            info!("in the API's span");
            info_span!("inside").in_scope(|| {
                info!("in tracing's span");
                let inner = Context::current_with_span(fixture.tracer.start("inner api"));
                let _attached = inner.attach();
                info!("in the API's inner span");
            });
        }),
        Script::new("api-span-outside-without-activation", |fixture| {
            let api = Context::current_with_span(fixture.tracer.start("api"));
            let _attached = api.attach();
            info_span!("inside").in_scope(|| info!("in tracing's span"));
        })
        .without_activation(),
        Script::new("explicit-parent-never-entered", |_| {
            let job = info_span!("job", tenant = "t1");
            info!(parent: &job, "from outside");
        })
        .parent(Parent::Explicit("job")),
        Script::new("explicit-parent-from-another-span", |_| {
            let job = info_span!("job", tenant = "t1");
            info_span!("elsewhere", place = 1).in_scope(|| info!(parent: &job, "from elsewhere"));
        })
        .parent(Parent::Explicit("job")),
        Script::new("explicit-parent-is-current", |_| {
            let job = info_span!("job");
            job.in_scope(|| info!(parent: &job, "inside"));
        })
        .parent(Parent::Explicit("job")),
        Script::new("explicit-parent-plain-layer", |_| {
            let job = info_span!("job");
            info!(parent: &job, "from outside");
        })
        .spans(Spans::Plain)
        .parent(Parent::Explicit("job")),
        Script::new("explicit-parent-unsampled", |_| {
            let job = info_span!("job");
            info!(parent: &job, "from outside");
        })
        .unsampled()
        .parent(Parent::Explicit("job")),
        Script::new("parent-none", |_| {
            info_span!("outer", tenant = "t1").in_scope(|| info!(parent: None, "of no span"));
        })
        .parent(Parent::Root),
        Script::new("parent-none-outside", |_| info!(parent: None, "of no span")).parent(Parent::Root),
        Script::new("left-in-any-order", |_| {
            let (outer, inner) = (info_span!("outer"), info_span!("inner"));
            let entered_outer = outer.enter();
            let entered_inner = inner.enter();
            drop(entered_outer);
            info!("in inner");
            drop(entered_inner);
            info!("outside");
        }),
        Script::new("entered-twice", |_| {
            let span = info_span!("outer", tenant = "t1");
            span.in_scope(|| {
                span.in_scope(|| info!("in it twice"));
                info!("in it once");
            });
        }),
        Script::new("in-map-current", |_| {
            info_span!("outer").in_scope(|| Context::map_current(|_| info!("inside map_current")));
        }),
        Script::new("root-span-inside", |_| {
            info_span!("outer", tenant = "t1").in_scope(|| {
                info_span!(parent: None, "root", own = 1).in_scope(|| info!("in a root of its own"));
            });
        }),
        Script::new("disabled-span", |_| {
            info_span!("outer").in_scope(|| tracing::Span::none().in_scope(|| info!("still in outer")));
        }),
        Script::new("api-span-inside", |fixture| {
            info_span!("outer").in_scope(|| {
                let attached = Context::current_with_span(fixture.tracer.start("api")).attach();
                info!("in the API's span");
                info_span!("inner").in_scope(|| info!("in tracing's span"));
                info!("in the API's span again");
                drop(attached);
                info!("in outer again");
            });
        }),
        Script::new("api-span-of-another-trace", |fixture| {
            info_span!("outer").in_scope(|| {
                let api = fixture.tracer.start_with_context("api", &Context::new());
                let _attached = Context::new().with_span(api).attach();
                info!("in the API's span");
            });
            info!("outside");
        }),
        Script::new("remote-parent", |_| {
            let _attached = remote_context().attach();
            info!("in a span of another process");
            info_span!("inside").in_scope(|| info!("in a span of this one"));
        }),
        Script::new("closed-before-the-line", |_| {
            let id = info_span!("closed").id();
            info!(parent: id, "its parent is gone");
        })
        .parent(Parent::Explicit("closed")),
        Script::new("tracer-shut-down", |fixture| {
            fixture.tracer_provider.shutdown().unwrap();
            info_span!("outer").in_scope(|| info!("without ids"));
        }),
        Script::new("another-thread", |_| {
            let span = info_span!("handed", tenant = "t1");
            let dispatch = tracing::dispatcher::get_default(Clone::clone);
            let work = move || {
                tracing::dispatcher::with_default(&dispatch, || span.in_scope(|| info!("there")));
            };
            std::thread::spawn(work).join().unwrap();
        }),
        Script::new("span-ended-early", |_| {
            info_span!("outer").in_scope(|| {
                Context::map_current(|cx| cx.span().end());
                info!("after its end");
            });
        }),
        Script::new("suppressed", |_| {
            let _suppressed = Context::enter_telemetry_suppressed_scope();
            info!("nobody sees this");
        }),
    ]
}

fn log_facade() -> Vec<Script> {
    vec![
        Script::new(
            "log-record",
            |fixture| log::info!(logger: fixture.log, target: "hyper::client", "pooled {}", 1),
        ),
        Script::new("log-record-in-a-span", |fixture| {
            let span = info_span!("outer", tenant = "t1");
            span.in_scope(|| log::warn!(logger: fixture.log, "from a dependency"));
        }),
        Script::new("log-record-overrides-the-span", |fixture| {
            let span = info_span!("outer", user = "ann", tenant = "t1");
            span.in_scope(|| log::info!(logger: fixture.log, user = "bob"; "logged in"));
        })
        .key_values(&["user"]),
        Script::new("log-record-with-key-values", |fixture| {
            log::info!(logger: fixture.log, target: "hyper::client", user = "ann", attempt = 3; "logged in");
        })
        .key_values(&["user", "attempt"]),
    ]
}

/// Scripts that use this crate's own API, with the peer's layer on the other side.
fn ours_alone() -> Vec<Script> {
    vec![
        Script::new("in-a-job", |_| {
            let metadata = JobMetadata::new("job-1", "exec-1").with_step("build");
            job::scope(metadata, || info_span!("outer").in_scope(|| info!(user = "ann", "building")));
        }),
        Script::new("in-an-op", |_| {
            let op = op::start("git", "clone", []);
            op.in_scope(|| info!(user = "ann", "cloning"));
            op.end(&Ok::<(), DiskFull>(()));
        }),
    ]
}

#[derive(Debug)]
#[expect(dead_code, reason = "its Debug reads the fields")]
struct Point {
    x: i32,
    y: i32,
}

#[derive(Debug)]
struct DiskFull;

impl fmt::Display for DiskFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("disk full")
    }
}

impl Error for DiskFull {}

#[derive(Debug)]
struct WriteFailed(DiskFull);

impl fmt::Display for WriteFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot write")
    }
}

impl Error for WriteFailed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

fn failure() -> WriteFailed {
    WriteFailed(DiskFull)
}

trait AsDyn: Error + Sized + 'static {
    fn as_dyn(&self) -> &(dyn Error + 'static) {
        self
    }
}

impl<E: Error + 'static> AsDyn for E {}

struct Panics;

impl fmt::Debug for Panics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("so far")?;
        panic!("a Debug that panics, on purpose")
    }
}
