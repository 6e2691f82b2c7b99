//! Pipelines that do not send anything: they keep their requests, discard them, or pass them on.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::limits::Limits;
use crate::otlp::config::Config;
use crate::otlp::deliver::request::Request;
use crate::otlp::pipeline::Pipeline;
use crate::otlp::signal::Signal;
use crate::otlp::spool::sync::SpoolSync;
use crate::otlp::spool::{Spool, SpoolSettings, DEFAULT_LIMIT};
use crate::otlp::transport::{Answer, Transport};

/// A pipeline that keeps its requests instead of sending them, and those requests.
///
/// ```
/// use std::time::Duration;
/// use spanlog::LogLayer;
/// use tracing_subscriber::layer::SubscriberExt;
///
/// let (pipeline, requests) = spanlog::testing::pipeline();
/// let subscriber = tracing_subscriber::registry().with(LogLayer::direct(pipeline.clone()));
/// tracing::subscriber::with_default(subscriber, || tracing::info!("kept"));
/// pipeline.flush(Duration::from_secs(5)).unwrap();
/// assert_eq!(requests.bytes().len(), 1);
/// ```
///
/// # Panics
///
/// If the process cannot start another thread.
pub fn pipeline() -> (Pipeline, Requests) {
    let requests = Requests::default();
    // Limits that no test reaches, so that nothing is truncated or dropped.
    let settings = Config { memory_limit_bytes: 1 << 30, max_request_bytes: 256 << 20, ..Config::default() };
    let keep = |kept: &Kept| Box::new(Keep(kept.clone()));
    let (logs, spans) = (keep(&requests.logs), keep(&requests.spans));
    (start(settings, logs, spans), requests)
}

fn start(settings: Config, logs: Box<dyn Transport>, spans: Box<dyn Transport>) -> Pipeline {
    let of_spans = Config { signal: Signal::Traces, ..settings.clone() };
    let connect = Box::new(move || Ok((of_spans, vec![spans])));
    match Pipeline::start_with(settings, vec![logs], Some(connect)) {
        Ok(pipeline) => pipeline,
        Err(error) => panic!("the pipeline could not be started: {error}"),
    }
}

type Kept = Arc<Mutex<Vec<Vec<u8>>>>;

/// Encoded `ExportLogsServiceRequest` and `ExportTraceServiceRequest` messages, in the order in which
/// they were completed.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    logs: Kept,
    spans: Kept,
}

impl Requests {
    /// All requests of log records so far. Call [`Pipeline::flush`] first.
    pub fn bytes(&self) -> Vec<Vec<u8>> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All requests of spans so far. Call [`Pipeline::flush`] first.
    pub fn span_bytes(&self) -> Vec<Vec<u8>> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

struct Keep(Kept);

impl Transport for Keep {
    fn send(&mut self, request: &mut Request, _deadline: Instant) -> Answer {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(request.bytes().to_vec());
        Answer::Accepted { rejected: 0, message: String::new() }
    }
}

/// A pipeline that discards its requests, for benchmarks of everything before the transport.
///
/// # Panics
///
/// If the process cannot start another thread.
pub fn discarding() -> Pipeline {
    start(config(), Box::new(Discard), Box::new(Discard))
}

/// The same with a spool in this directory.
///
/// # Panics
///
/// If the process cannot start another thread, or the directory cannot be used.
pub fn discarding_with_spool(directory: impl Into<PathBuf>) -> Pipeline {
    let settings = SpoolSettings { root: directory.into(), limit: DEFAULT_LIMIT, sync: SpoolSync::default() };
    match Spool::open(&settings) {
        Ok(spool) => start(Config { spool: Some(spool), ..config() }, Box::new(Discard), Box::new(Discard)),
        Err(error) => panic!("{error}"),
    }
}

/// A pipeline that passes each encoded request to `store`, on its own threads, for benchmarks.
///
/// # Panics
///
/// If the process cannot start another thread.
pub fn storing(store: impl FnMut(&[u8]) + Send + 'static) -> Pipeline {
    start(config(), Box::new(Store(store)), Box::new(Discard))
}

struct Store<F>(F);

impl<F: FnMut(&[u8]) + Send> Transport for Store<F> {
    fn send(&mut self, request: &mut Request, _deadline: Instant) -> Answer {
        (self.0)(request.bytes());
        Answer::Accepted { rejected: 0, message: String::new() }
    }
}

struct Discard;

impl Transport for Discard {
    fn send(&mut self, _request: &mut Request, _deadline: Instant) -> Answer {
        Answer::Accepted { rejected: 0, message: String::new() }
    }
}

fn config() -> Config {
    Config { limits: Limits::from_env(), ..Config::default() }
}
