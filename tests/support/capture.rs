//! A log processor that keeps the SDK's records.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "test binaries use parts of this")]

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord, SdkLoggerProvider};

/// Keeps records, or passes them to a function. The SDK's simple processor attaches a `Context` for
/// each, which panics inside `Context::map_current`.
#[derive(Clone, Default)]
pub struct Capture {
    records: Arc<Mutex<Vec<SdkLogRecord>>>,
    observe: Option<Observe>,
}

type Observe = Arc<dyn Fn(&mut SdkLogRecord) + Send + Sync>;

impl Capture {
    /// Passes each record to `observe` on the thread that emits it, and keeps none.
    pub fn observing(observe: impl Fn(&mut SdkLogRecord) + Send + Sync + 'static) -> Self {
        Self { observe: Some(Arc::new(observe)), ..Self::default() }
    }

    /// A provider with this processor.
    pub fn provider(&self) -> SdkLoggerProvider {
        SdkLoggerProvider::builder().with_log_processor(self.clone()).build()
    }

    pub fn map<T>(&self, convert: impl FnMut(&SdkLogRecord) -> T) -> Vec<T> {
        self.records.lock().unwrap().iter().map(convert).collect()
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Capture")
    }
}

impl LogProcessor for Capture {
    fn emit(&self, record: &mut SdkLogRecord, _: &InstrumentationScope) {
        match &self.observe {
            Some(observe) => observe(record),
            None => self.records.lock().unwrap().push(record.clone()),
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}
