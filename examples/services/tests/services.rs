//! Runs each example as a process, with a receiver of its own, and looks at what arrives.

#[path = "services/document.rs"]
mod document;
#[path = "services/program.rs"]
mod program;
#[path = "services/receiver.rs"]
mod receiver;

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use spanlog::doctor::Problem;
use spanlog::tracing_subscriber::layer::SubscriberExt;
use spanlog::LogLayer;

use crate::program::{get, run, Server};
use crate::receiver::{Item, Receiver};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// Both ways with axum: the record of a request has the remote trace's id, the id of the server's
/// span, and the job that the request is.
fn answers_a_request_in_the_callers_trace(binary: &str) {
    let receiver = Receiver::start();
    let server = Server::start(binary, &receiver);
    let traceparent = format!("00-{TRACE}-{CALLER}-01");
    let answer = get(&server.url, "/orders/7", &[("traceparent", &traceparent), ("x-request-id", "r-1")]);
    assert!(answer.ends_with("order 7"), "{answer}");
    assert!(get(&server.url, "/none", &[]).starts_with("HTTP/1.1 404 "), "no job, no error");
    server.stop();

    let span = receiver.span("GET /orders/{id}");
    assert_eq!((span.trace_id.as_str(), span.parent.as_str()), (TRACE, CALLER));
    assert_eq!(span.kind, SpanKind::Server);
    let record = receiver.record("looked up");
    assert_eq!((&record.trace_id, &record.span_id), (&span.trace_id, &span.span_id));
    assert_eq!(record.get("order"), "7");
    for (key, value) in [("runner_job.id", "/orders/{id}"), ("runner_job_execution.id", "r-1")] {
        assert_eq!(record.get(key), value);
    }
}

#[test]
fn axum_with_axum_tracing_opentelemetry() {
    answers_a_request_in_the_callers_trace(env!("CARGO_BIN_EXE_axum_layer"));
}

#[test]
fn axum_with_tower_http() {
    answers_a_request_in_the_callers_trace(env!("CARGO_BIN_EXE_axum_tower_http"));
}

/// Two services, one trace: client span, server span below it, and a record in each.
fn are_in_one_trace(client: &str, server: &str, path: &str, logged_by_server: &str) {
    let receiver = Receiver::start();
    let server = Server::start(server, &receiver);
    run(client, &[&format!("{}{path}", server.url)], &receiver);
    server.stop();

    let of_kind = |kind| receiver.spans().into_iter().find(|span| span.kind == kind).expect("a span");
    let (client, server) = (of_kind(SpanKind::Client), of_kind(SpanKind::Server));
    assert_eq!(client.parent, "");
    assert_eq!((&server.trace_id, &server.parent), (&client.trace_id, &client.span_id));
    assert_ne!(server.service, client.service);
    let is_in = |record: Item, span: &Item| {
        assert_eq!((record.trace_id, record.span_id), (span.trace_id.clone(), span.span_id.clone()));
    };
    is_in(receiver.record("answered"), &client);
    is_in(receiver.record(logged_by_server), &server);
}

#[test]
fn reqwest_calls_axum() {
    let server = env!("CARGO_BIN_EXE_axum_tower_http");
    are_in_one_trace(env!("CARGO_BIN_EXE_http_client"), server, "/orders/7", "looked up");
}

#[test]
fn tonic_calls_tonic() {
    let server = env!("CARGO_BIN_EXE_grpc_server");
    are_in_one_trace(env!("CARGO_BIN_EXE_grpc_client"), server, "", "checked");
}

#[test]
fn a_synchronous_program() {
    let receiver = Receiver::start();
    run(env!("CARGO_BIN_EXE_cli"), &["c0ffee"], &receiver);

    let (job, step, call) =
        (receiver.span("job.release"), receiver.span("step.check"), receiver.span("cargo.version"));
    assert_eq!((&step.parent, &call.parent), (&job.span_id, &step.span_id));
    let record = receiver.record("found");
    assert_eq!((&record.trace_id, &record.span_id), (&job.trace_id, &call.span_id));
    assert!(record.get("version").starts_with("cargo 1."));
    for item in [&job, &step, &call, &record] {
        assert_eq!(item.get("runner_job.id"), "c0ffee");
    }
    assert_eq!(record.get("nuon.tool"), "cargo");
}

#[test]
fn the_log_facade() {
    let receiver = Receiver::start();
    run(env!("CARGO_BIN_EXE_log_facade"), &[], &receiver);

    let job = receiver.span("job.import");
    let record = receiver.record("imported");
    assert_eq!((&record.trace_id, &record.span_id), (&job.trace_id, &job.span_id));
    assert_eq!(record.scope, "log_facade::legacy");
    for (key, value) in [("file", "orders.csv"), ("rows", "120"), ("runner_job.id", "nightly")] {
        assert_eq!(record.get(key), value);
    }
    assert_eq!(receiver.record("orders.csv: 3 rows without a customer").get("runner_job.id"), "nightly");
}

#[test]
fn tasks_of_apalis_are_jobs() {
    let receiver = Receiver::start();
    run(env!("CARGO_BIN_EXE_queue"), &[], &receiver);

    let producer = receiver.span("order");
    let tries = [receiver.record("the mail server is busy"), receiver.record("sent")];
    let [first, second] = &tries;
    for (record, attempt) in [(first, 1), (second, 2)] {
        let span = receiver.span_with_id(&record.span_id);
        assert_eq!((span.name.as_str(), &span.trace_id), ("task", &producer.trace_id));
        assert_eq!(span.parent, producer.span_id);
        let id = span.get("task_id");
        for item in [record, &span] {
            assert_eq!(item.get("runner_job.id"), id);
            assert_eq!(item.get("runner_job_execution.id"), format!("{id}-{attempt}"));
            assert_eq!(item.get("runner_job.group"), "emails");
            assert_eq!(item.get("task.attempt"), attempt.to_string());
        }
    }
    assert_ne!(first.span_id, second.span_id);
}

#[test]
fn tool_calls_of_an_agent() {
    let receiver = Receiver::start();
    run(env!("CARGO_BIN_EXE_agent"), &[], &receiver);

    let (turn, call) = (receiver.span("job.turn"), receiver.span("get_weather.execute_tool"));
    assert_eq!(call.parent, turn.span_id);
    let record = receiver.record("looking up");
    assert_eq!((&record.trace_id, &record.span_id), (&turn.trace_id, &call.span_id));
    assert_eq!(call.get("gen_ai.tool.call.id"), "call-1");
    for item in [&call, &record] {
        assert_eq!(item.get("gen_ai.operation.name"), "execute_tool");
        assert_eq!(item.get("gen_ai.tool.name"), "get_weather");
        assert_eq!(item.get("gen_ai.conversation.id"), "conversation-7");
        assert_eq!(item.get("gen_ai.agent.name"), "forecaster");
    }
}

/// A check-up names a span layer of another version, next to which records have no ids.
#[test]
fn a_span_layer_of_another_version_is_found() {
    let (pipeline, _requests) = spanlog::testing::pipeline();
    let subscriber = spanlog::tracing_subscriber::registry()
        .with(other_tracing_opentelemetry::layer())
        .with(LogLayer::direct(pipeline));
    let checkup = tracing::subscriber::with_default(subscriber, spanlog::doctor);
    assert!(checkup.has(Problem::NoSpanLayer), "{checkup}");
    assert!(checkup.to_string().contains("of another version"), "{checkup}");
}
