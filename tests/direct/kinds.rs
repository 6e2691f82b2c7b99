//! Records of every kind, and what a receiver must get for each.

use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::logs::AnyValue;
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceFlags, TraceState};
use opentelemetry_sdk::trace::SdkTracerProvider;
use spanlog::otlp::Pipeline;
use spanlog::LogLayer;
use tracing::Dispatch;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::spans::subscriber;

/// A record's contents, except its times.
#[derive(Clone, Debug)]
pub struct Kind {
    pub body: String,
    pub severity: (i32, &'static str),
    pub event_name: &'static str,
    pub span: Option<SpanContext>,
    pub attributes: Vec<(String, AnyValue)>,
}

/// A subscriber with a span layer that logs to `pipeline`.
pub fn dispatch(pipeline: &Pipeline) -> Dispatch {
    subscriber(&SdkTracerProvider::default(), LogLayer::direct(pipeline.clone()))
}

pub fn nanos() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap()
}

const INFO: (i32, &str) = (9, "INFO");

fn kind(body: &str, attributes: impl IntoIterator<Item = (&'static str, AnyValue)>) -> Kind {
    let attributes = attributes.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    Kind { body: body.to_owned(), severity: INFO, event_name: "", span: None, attributes }
}

/// An owned string, as decoding gives one: `Debug` tells it from a static one.
fn text(text: &str) -> AnyValue {
    text.to_owned().into()
}

macro_rules! letters {
    ($macro:ident, $name:ident, $($own:tt)*) => {
        tracing::$macro!(
            $($own)*
            $name.a = 0, $name.b = 1, $name.c = 2, $name.d = 3, $name.e = 4, $name.f = 5, $name.g = 6,
            $name.h = 7, $name.i = 8, $name.j = 9, $name.k = 10, $name.l = 11, $name.m = 12, $name.n = 13,
            $name.o = 14, $name.p = 15, $name.q = 16, $name.r = 17, $name.s = 18, $name.t = 19, $name.u = 20,
            $name.v = 21, $name.w = 22, $name.x = 23, $name.y = 24,
        )
    };
}

/// Emits one record of each kind.
pub fn emit() -> Vec<Kind> {
    let mut kinds = Vec::new();
    for (severity, word) in [(1, "TRACE"), (5, "DEBUG"), (9, "INFO"), (13, "WARN"), (17, "ERROR")] {
        match severity {
            1 => tracing::trace!("at TRACE"),
            5 => tracing::debug!("at DEBUG"),
            9 => tracing::info!("at INFO"),
            13 => tracing::warn!("at WARN"),
            _ => tracing::error!("at ERROR"),
        }
        kinds.push(Kind { severity: (severity, word), ..kind(&format!("at {word}"), []) });
    }
    tracing::error!(otel.severity_number = 21, "fatal");
    kinds.push(Kind { severity: (21, "FATAL"), ..kind("fatal", []) });
    tracing::info!(name: "order.placed", "with a name");
    kinds.push(Kind { event_name: "order.placed", ..kind("with a name", []) });
    tracing::info!(least = i64::MIN, most = i64::MAX, huge = u64::MAX, none = 0, below = -1, "integers");
    kinds.push(kind(
        "integers",
        [
            ("least", i64::MIN.into()),
            ("most", i64::MAX.into()),
            ("huge", text("18446744073709551615")),
            ("none", 0.into()),
            ("below", (-1).into()),
        ],
    ));
    tracing::info!(half = 0.5, large = 1.5e10, zero = -0.0, "doubles");
    kinds.push(kind("doubles", [("half", 0.5.into()), ("large", 1.5e10.into()), ("zero", (-0.0).into())]));
    tracing::info!(bytes = &b"\x00\xff"[..], none = &b""[..], "bytes");
    kinds.push(kind(
        "bytes",
        [("bytes", AnyValue::Bytes(Box::new(vec![0, 255]))), ("none", AnyValue::Bytes(Box::default()))],
    ));
    tracing::info!(empty = "", lines = "a\nb\"c\\", umlauts = "grüß 🦀", yes = true, no = false, "texts");
    kinds.push(kind(
        "texts",
        [
            ("empty", text("")),
            ("lines", text("a\nb\"c\\")),
            ("umlauts", text("grüß 🦀")),
            ("yes", true.into()),
            ("no", false.into()),
        ],
    ));
    let outer = tracing::info_span!("outer", tenant = "t1");
    let inner = tracing::info_span!(parent: &outer, "inner", attempt = 2);
    inner.in_scope(|| tracing::info!(user = "ann", "in a span"));
    let span = inner.context().span().span_context().clone();
    assert!(span.is_valid() && span.is_sampled());
    kinds.push(Kind {
        span: Some(span),
        ..kind("in a span", [("tenant", text("t1")), ("attempt", 2.into()), ("user", text("ann"))])
    });
    let entered = [
        letters!(info_span, one, "one",).entered(),
        letters!(info_span, two, "two",).entered(),
        letters!(info_span, three, "three",).entered(),
        letters!(info_span, four, "four",).entered(),
        letters!(info_span, five, "five",).entered(),
    ];
    let span = entered[4].context().span().span_context().clone();
    tracing::info!(six.a = 0, six.b = 1, six.c = 2, "128 attributes");
    // Innermost first.
    entered.into_iter().rev().for_each(drop);
    let numbered = |name: &'static str, count: u8| {
        (0..count).map(move |at| (format!("{name}.{}", (b'a' + at) as char), i64::from(at).into()))
    };
    let of_spans =
        ["one", "two", "three", "four", "five"].map(|name| numbered(name, 25)).into_iter().flatten();
    let attributes = of_spans.chain(numbered("six", 3)).collect::<Vec<_>>();
    assert_eq!(attributes.len(), 128);
    kinds.push(Kind { span: Some(span), attributes, ..kind("128 attributes", []) });
    kinds
}

/// Copies of the kind with one thing changed in each: a comparison with any of them must fail.
pub fn altered(kind: &Kind) -> Vec<Kind> {
    let span = match kind.span {
        Some(_) => None,
        None => Some(SpanContext::new(1.into(), 2.into(), TraceFlags::SAMPLED, false, TraceState::default())),
    };
    let mut altered = vec![
        Kind { severity: (kind.severity.0 + 1, kind.severity.1), ..kind.clone() },
        Kind { severity: (kind.severity.0, "OTHER"), ..kind.clone() },
        Kind { event_name: "other", ..kind.clone() },
        Kind { span, ..kind.clone() },
        Kind {
            attributes: [&kind.attributes[..], &[("more".to_owned(), 1.into())]].concat(),
            ..kind.clone()
        },
    ];
    if let [(key, _), rest @ ..] = &kind.attributes[..] {
        let changed = [&[(key.clone(), text("changed"))], rest].concat();
        altered.push(Kind { attributes: changed, ..kind.clone() });
        altered.push(Kind { attributes: rest.to_vec(), ..kind.clone() });
    }
    altered
}

/// Separate, because readers that use Rust's opentelemetry-proto reject these values in JSON.
pub fn emit_not_finite() -> Kind {
    tracing::info!(nan = f64::NAN, up = f64::INFINITY, down = f64::NEG_INFINITY, "not finite");
    kind(
        "not finite",
        [("nan", f64::NAN.into()), ("up", f64::INFINITY.into()), ("down", f64::NEG_INFINITY.into())],
    )
}

#[test]
fn a_pipeline_counts_records_without_ids() {
    use tracing_subscriber::layer::SubscriberExt;

    let (pipeline, _requests) = spanlog::testing::pipeline();
    let without_span_layer = tracing_subscriber::registry().with(LogLayer::direct(pipeline.clone()));
    let script = || {
        tracing::info!("outside");
        tracing::info_span!("span").in_scope(|| tracing::info!("inside"));
    };
    tracing::dispatcher::with_default(&without_span_layer.into(), script);
    assert_eq!((pipeline.stats().emitted, pipeline.stats().without_ids), (2, 1));
    tracing::dispatcher::with_default(&dispatch(&pipeline), script);
    assert_eq!((pipeline.stats().emitted, pipeline.stats().without_ids), (4, 1));
}
