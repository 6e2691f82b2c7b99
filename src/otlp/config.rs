//! What a pipeline needs to know beside its transport.

use std::time::Duration;

use crate::limits::Limits;
use crate::otlp::deliver::request::Resource;
use crate::otlp::queue::Overflow;

/// What a pipeline needs to know beside its transport.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) resource: Resource,
    /// What sends the requests, as the semantic conventions name its type.
    pub(crate) exporter: &'static str,
    /// For the layers that write to the pipeline.
    pub(crate) limits: Limits,
    /// Bytes that are queued, in flight or waiting to be sent again.
    pub(crate) memory_limit_bytes: usize,
    pub(crate) overflow: Overflow,
    pub(crate) max_batch_records: usize,
    /// Before compression.
    pub(crate) max_request_bytes: usize,
    /// Records are sent when they are this old, however few they are.
    pub(crate) schedule_delay: Duration,
    /// How long one attempt to send may take.
    pub(crate) export_timeout: Duration,
    pub(crate) retry_first: Duration,
    pub(crate) retry_longest: Duration,
    /// A request is given up when it would be older than this at its next attempt.
    pub(crate) retry_max_elapsed: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            resource: Resource::default(),
            exporter: "spanlog::otlp::Pipeline",
            limits: Limits::from_env(),
            // Some 150,000 records of 400 bytes: half a minute at 5,000 a second.
            memory_limit_bytes: 64 << 20,
            overflow: Overflow::default(),
            // As the specification has it for the batch processor.
            max_batch_records: 512,
            // What receivers of gRPC take if nobody told them otherwise.
            max_request_bytes: 4 << 20,
            schedule_delay: Duration::from_secs(1),
            export_timeout: Duration::from_secs(10),
            retry_first: Duration::from_millis(500),
            retry_longest: Duration::from_secs(10),
            retry_max_elapsed: Duration::from_secs(300),
        }
    }
}
