//! A log processor that keeps the SDK's records.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "test binaries use parts of this")]

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord, SdkLoggerProvider};

/// Keeps records as they come, or shows them to a function. The SDK's simple processor attaches a
/// `Context` for each, which is no good inside `Context::map_current`.
#[derive(Clone, Default)]
pub struct Capture {
    records: Arc<Mutex<Vec<SdkLogRecord>>>,
    look: Option<Look>,
}

type Look = Arc<dyn Fn(&mut SdkLogRecord) + Send + Sync>;

impl Capture {
    /// Shows each record to `look` on the thread that logs it, and keeps none.
    pub fn looking(look: impl Fn(&mut SdkLogRecord) + Send + Sync + 'static) -> Self {
        Self { look: Some(Arc::new(look)), ..Self::default() }
    }

    /// A provider whose records come here.
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
        match &self.look {
            Some(look) => look(record),
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
