//! What a pipeline needs to know besides its transports, with all defaults.

use std::sync::Arc;
use std::time::Duration;

use crate::limits::Limits;
use crate::otlp::deliver::reporter::OnLoss;
use crate::otlp::deliver::request::Resource;
use crate::otlp::queue::Overflow;
use crate::otlp::signal::Signal;
use crate::otlp::spool::Spool;

/// What a pipeline needs to know besides its transports.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) signal: Signal,
    pub(crate) resource: Resource,
    /// The resource has a `service.name` that somebody set.
    pub(crate) has_service_name: bool,
    /// What sends the requests: its `otel.component.type`.
    pub(crate) exporter: &'static str,
    /// For the layers that write to the pipeline.
    pub(crate) limits: Limits,
    /// For records that are queued, in flight or waiting to be sent again.
    pub(crate) memory_limit_bytes: usize,
    pub(crate) overflow: Overflow,
    /// The most records in a request.
    pub(crate) max_batch_records: usize,
    /// The bytes at which a request is sent, unless it is sent earlier for its number of records.
    pub(crate) batch_bytes: usize,
    /// The most bytes in a request, before compression.
    pub(crate) max_request_bytes: usize,
    /// Records are sent when they are this old, however few they are.
    pub(crate) schedule_delay: Duration,
    /// How long one attempt to send a request may take.
    pub(crate) export_timeout: Duration,
    /// The first wait before a request is sent again. Each further one is twice as long.
    pub(crate) retry_first: Duration,
    pub(crate) retry_longest: Duration,
    /// A request is dropped if an attempt fails after this time. `None`: it is retried as long as the
    /// pipeline exists.
    pub(crate) retry_max_elapsed: Option<Duration>,
    /// Where requests are sent, for people: a URL without credentials, or a path.
    pub(crate) receiver: String,
    pub(crate) on_loss: Option<OnLoss>,
    /// Where records outlive the process.
    pub(crate) spool: Option<Arc<Spool>>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            signal: Signal::Logs,
            resource: Resource::default(),
            has_service_name: true,
            exporter: "spanlog::otlp::Pipeline",
            limits: Limits::default(),
            // Minutes of a chatty service, and little of its memory: some 80,000 records of 400
            // bytes.
            memory_limit_bytes: 32 << 20,
            overflow: Overflow::default(),
            // By bytes, as the cost of a request goes by them: with some 2,000 records of 300 bytes each
            // costs least. A few hundred are dominated by the calls, many thousands by the memory.
            max_batch_records: usize::MAX,
            batch_bytes: 640 << 10,
            // What OpenTelemetry's gRPC receivers accept by default; over HTTP they accept more.
            max_request_bytes: 4 << 20,
            schedule_delay: Duration::from_secs(1),
            export_timeout: Duration::from_secs(10),
            retry_first: Duration::from_millis(500),
            retry_longest: Duration::from_secs(10),
            // What could be sent later is not thrown away: memory is bounded in bytes.
            retry_max_elapsed: None,
            receiver: String::from("the receiver"),
            on_loss: None,
            spool: None,
        }
    }
}
