//! Scripted transports, and records that can be told apart.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{any_value, AnyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use prost::Message;

use crate::otlp::config::Config;
use crate::otlp::counters::PipelineStats;
use crate::otlp::deliver::request::Request;
use crate::otlp::pipeline::Pipeline;
use crate::otlp::queue::chunk::{Encoded, MAX_HEADER};
use crate::otlp::transport::{Answer, Transport};
use crate::record::Target;
use crate::stats::Thread;

/// Longer than anything takes that does not hang.
pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) fn accepted(rejected: u64) -> Answer {
    Answer::Accepted { rejected, message: String::new() }
}

pub(crate) fn again(after: Option<Duration>) -> Answer {
    Answer::TryAgain { after, why: "test".into() }
}

/// A transport whose answers a closure makes, from the number of the call and the request.
pub(crate) struct Scripted<F>(pub(crate) F, pub(crate) u64);

impl<F: FnMut(u64, &[u8]) -> Answer + Send> Transport for Scripted<F> {
    fn send(&mut self, request: &mut Request, _deadline: Instant) -> Answer {
        self.1 += 1;
        (self.0)(self.1 - 1, request.bytes())
    }
}

pub(crate) fn scripted(script: impl FnMut(u64, &[u8]) -> Answer + Send + 'static) -> Box<dyn Transport> {
    Box::new(Scripted(script, 0))
}

/// All requests that a transport received.
#[derive(Clone, Default)]
pub(crate) struct Taken(Arc<Mutex<Vec<Vec<u8>>>>);

impl Taken {
    pub(crate) fn keep(&self, request: &[u8]) {
        self.0.lock().unwrap().push(request.to_vec());
    }

    pub(crate) fn transport(&self) -> Box<dyn Transport> {
        let taken = self.clone();
        scripted(move |_, request| {
            taken.keep(request);
            accepted(0)
        })
    }

    pub(crate) fn sizes(&self) -> Vec<usize> {
        self.0.lock().unwrap().iter().map(Vec::len).collect()
    }

    /// Scope and record, request by request.
    pub(crate) fn records(&self) -> Vec<(String, LogRecord)> {
        let mut all = Vec::new();
        for request in self.0.lock().unwrap().iter() {
            let request = ExportLogsServiceRequest::decode(request.as_slice()).unwrap();
            assert_eq!(request.resource_logs.len(), 1);
            for scope in request.resource_logs.into_iter().flat_map(|logs| logs.scope_logs) {
                let name = scope.scope.unwrap_or_default().name;
                all.extend(scope.log_records.into_iter().map(|record| (name.clone(), record)));
            }
        }
        all
    }

    /// The bodies: texts, in order of arrival.
    pub(crate) fn bodies(&self) -> Vec<String> {
        self.records().into_iter().map(|(_, record)| text_of(&record)).collect()
    }
}

pub(crate) fn text_of(record: &LogRecord) -> String {
    match record.body.clone().and_then(|body| body.value) {
        Some(any_value::Value::StringValue(text)) => text,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn text(text: &str) -> Option<AnyValue> {
    Some(AnyValue { value: Some(any_value::Value::StringValue(text.into())) })
}

pub(crate) fn record(body: &str) -> Vec<u8> {
    record_of(9, body)
}

pub(crate) fn record_of(severity_number: i32, body: &str) -> Vec<u8> {
    LogRecord { time_unix_nano: 1, severity_number, body: text(body), ..LogRecord::default() }.encode_to_vec()
}

/// Emits a record, as the layer does.
pub(crate) fn emit(pipeline: &Pipeline, body: &str) {
    emit_to(pipeline, Target::Static("test"), body);
}

pub(crate) fn emit_to(pipeline: &Pipeline, target: Target<'_>, body: &str) {
    push(pipeline, target, &record(body));
}

/// Hands a record over, if there is room.
pub(crate) fn push(pipeline: &Pipeline, target: Target<'_>, record: &[u8]) {
    if let Some(permit) = pipeline.queue().reserve(Thread::current(), 9) {
        let mut front = vec![0; MAX_HEADER];
        front.extend_from_slice(record);
        permit.enqueue(target.into(), &Encoded::new(&mut front, MAX_HEADER, &[]));
    }
}

/// A configuration without waiting.
pub(crate) fn quick() -> Config {
    Config {
        schedule_delay: Duration::from_millis(5),
        retry_first: Duration::from_millis(1),
        retry_longest: Duration::from_millis(2),
        ..Config::default()
    }
}

#[track_caller]
pub(crate) fn assert_adds_up(stats: &PipelineStats) {
    let settled = stats.delivered + stats.rejected + stats.dropped();
    assert_eq!(stats.emitted, settled + stats.pending, "{stats:?}");
}

/// A door that a transport waits at.
#[derive(Clone, Default)]
pub(crate) struct Door(Arc<(Mutex<(bool, u64)>, Condvar)>);

impl Door {
    pub(crate) fn open(&self) {
        self.0 .0.lock().unwrap().0 = true;
        self.0 .1.notify_all();
    }

    /// Waits until it is open.
    pub(crate) fn pass(&self) {
        let mut state = self.0 .0.lock().unwrap();
        state.1 += 1;
        self.0 .1.notify_all();
        drop(self.0 .1.wait_while(state, |state| !state.0).unwrap());
    }

    /// Waits until a transport waits at it.
    pub(crate) fn wait_for_visitor(&self) {
        let state = self.0 .0.lock().unwrap();
        drop(self.0 .1.wait_while(state, |state| state.1 == 0).unwrap());
    }

    pub(crate) fn transport(&self, taken: &Taken) -> Box<dyn Transport> {
        let (door, taken) = (self.clone(), taken.clone());
        scripted(move |_, request| {
            door.pass();
            taken.keep(request);
            accepted(0)
        })
    }
}
