//! What an arm does, and inside which job and spans.

use std::cell::RefCell;
use std::fmt::Write;
use std::hint::black_box;

use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry::{Context, KeyValue, SpanId, TraceId};
use opentelemetry_sdk::trace::SdkTracerProvider;
use spanlog::{job, op, JobMetadata, SpanLayer};
use tracing::{debug, info, info_span, Subscriber};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::Layer;

use crate::arm::{Arm, Layers, What};
use crate::traces;

/// The span layer of every arm that has one.
pub(crate) fn span_layer<S>(tracers: &SdkTracerProvider) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
{
    SpanLayer::new(tracing_opentelemetry::layer().with_tracer(tracers.tracer("ladder")))
}

/// The ids of the current span, as OpenTelemetry knows them.
pub(crate) fn current_ids() -> Option<(TraceId, SpanId)> {
    let cx = Context::current();
    let span = cx.span().span_context().clone();
    span.is_valid().then(|| (span.trace_id(), span.span_id()))
}

/// Runs `work` inside the job and the spans of the arm.
pub(crate) fn inside<T>(arm: Arm, work: impl FnOnce() -> T) -> T {
    let in_span = || {
        if !arm.in_span {
            return work();
        }
        if arm.layers == Layers::Delivering {
            return info_span!(
                "request",
                runner_job.id = "job-01HV",
                runner_job_execution.id = "execution-7",
                runner_job_execution_step.name = "plan",
                method = "GET",
                route = "/jobs/{id}"
            )
            .in_scope(|| info_span!("handler", user = "alice", tenant = "acme").in_scope(work));
        }
        info_span!("request", method = "GET", route = "/jobs/{id}")
            .in_scope(|| info_span!("handler", user = "alice", tenant = "acme").in_scope(work))
    };
    if !arm.in_job || arm.layers == Layers::Delivering {
        return in_span();
    }
    let metadata = JobMetadata::new("job-01HV".to_owned(), "execution-7".to_owned());
    job::scope(metadata.with_step("plan".to_owned()), in_span)
}

thread_local! {
    static LINE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Does `what`, `count` times. The compiler cannot see where the values come from.
pub(crate) fn work(what: What, count: u64) {
    let text = black_box("eu-west-1");
    for index in 0..black_box(count) {
        match what {
            What::Event(0) => info!("connected"),
            What::Event(3) => info!(region = text, attempt = index, ratio = 0.5, "connected"),
            What::Event(4) => {
                info!(region = text, attempt = index, ratio = 0.5, host = text, "connected");
            }
            What::Event(6) => info!(
                region = text,
                attempt = index,
                ratio = 0.5,
                host = text,
                retried = true,
                port = 443,
                "connected"
            ),
            What::Event(_) => info!(
                region = text,
                attempt = index,
                ratio = 0.5,
                host = text,
                retried = true,
                port = 443,
                peer = text,
                bytes = index,
                load = 0.25,
                cipher = text,
                resumed = false,
                hops = 3,
                "connected"
            ),
            What::Debug => {
                debug!(region = text, attempt = index, ratio = 0.5, host = text, "connected");
            }
            What::Op => {
                let attributes =
                    [KeyValue::new("helm.release", text), KeyValue::new("helm.revision", index as i64)];
                op::start("helm", "upgrade", attributes).end(&Ok::<(), String>(()));
            }
            What::Span => drop(info_span!(
                "helm.upgrade",
                nuon.tool = "helm",
                nuon.op = "upgrade",
                helm.release = text,
                helm.revision = index,
            )),
            What::Alone => LINE.with_borrow_mut(|line| {
                line.clear();
                write!(line, "{text} {index} {} {text} connected", black_box(0.5)).unwrap();
                black_box(line);
            }),
            What::Trace(_) => traces::work(text),
        }
    }
}
