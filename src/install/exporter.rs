//! The exporter of the SDK's processors, over the transports of the direct path.

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::{LogBatch, LogExporter};
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use opentelemetry_sdk::Resource;

use crate::diagnostics::report_once;
use crate::error::Error;
use crate::forked::ForkedMutex;
use crate::otlp::deliver::reporter::{Effect, Trouble};
use crate::otlp::deliver::request::Request;
use crate::otlp::json::request_to_json;
use crate::otlp::sdk::{logs_request, spans_request};
use crate::otlp::settings::overrides::Overrides;
use crate::otlp::signal::Signal;
use crate::otlp::transport::file::FileTransport;
use crate::otlp::transport::{Answer, Transport};

/// The specification's default.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Exports logs or spans on the thread of a batch processor, where the SDK suppresses what the
/// transport logs. A request is sent once.
// One type for every destination: the SDK's processors are compiled for each type of exporter.
pub(crate) struct Exporter {
    /// `None` after shutdown.
    transport: Mutex<Option<Box<dyn Transport>>>,
    timeout: Duration,
    resource: Resource,
    /// Where it sends to, for people.
    receiver: String,
    /// What was wrong with the last request.
    trouble: LastTrouble,
}

/// What was wrong with a request, unless the next one was accepted.
pub(crate) type LastTrouble = Arc<ForkedMutex<Option<Trouble>>>;

impl Exporter {
    pub(crate) fn receiver(&self) -> &str {
        &self.receiver
    }

    pub(crate) fn trouble(&self) -> LastTrouble {
        Arc::clone(&self.trouble)
    }

    /// To an OTLP receiver.
    pub(crate) fn otlp(signal: Signal, overrides: &Overrides) -> Result<Self, Error> {
        let config = overrides.transport(signal)?;
        let timeout = overrides.timeout(signal).unwrap_or(TIMEOUT);
        Ok(Self::new(config.connect(signal)?, config.receiver(), timeout))
    }

    /// To a file of JSON lines.
    pub(crate) fn file(signal: Signal, path: PathBuf) -> Result<Self, Error> {
        let receiver = path.display().to_string();
        Ok(Self::new(Box::new(FileTransport::new(path, signal)?), receiver, TIMEOUT))
    }

    /// JSON lines to standard output.
    pub(crate) fn console(signal: Signal) -> Self {
        Self::new(Box::new(Console(signal)), "standard output".to_owned(), TIMEOUT)
    }

    fn new(transport: Box<dyn Transport>, receiver: String, timeout: Duration) -> Self {
        let (transport, resource) = (Mutex::new(Some(transport)), Resource::builder_empty().build());
        Self { transport, timeout, resource, receiver, trouble: LastTrouble::default() }
    }

    fn send(&self, request: Vec<u8>) -> OTelSdkResult {
        let mut transport = self.transport.lock().unwrap_or_else(PoisonError::into_inner);
        let transport = transport.as_mut().ok_or(OTelSdkError::AlreadyShutdown)?;
        let answer = transport.send(&mut request.into(), Instant::now() + self.timeout);
        let (result, trouble) = match answer {
            Answer::Accepted { rejected: 0, message } if message.is_empty() => (Ok(()), None),
            Answer::Accepted { rejected, message } => {
                report_once(format_args!("a receiver rejected {rejected} items of a request: {message}"));
                let effect = if rejected > 0 { Effect::Lost } else { Effect::Accepted };
                (Ok(()), Some((message, effect)))
            }
            Answer::TryAgain { why, .. } | Answer::TooLarge { why } | Answer::Refused { why } => {
                (Err(OTelSdkError::InternalFailure(why.clone())), Some((why, Effect::Lost)))
            }
        };
        if let Some(mut last) = self.trouble.lock() {
            *last = trouble.map(|(why, effect)| Trouble::new(&why, effect, transport.fault()));
        }
        result
    }

    /// Closes the connection here, where nothing that is logged about that is collected.
    fn close(&self) -> OTelSdkResult {
        self.transport.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(())
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl LogExporter for Exporter {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        self.send(logs_request(&batch, &self.resource))
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        self.close()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = resource.clone();
    }
}

impl SpanExporter for Exporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.send(spans_request(&batch, &self.resource))
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        self.close()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = resource.clone();
    }
}

struct Console(Signal);

impl Transport for Console {
    fn send(&mut self, request: &mut Request, _deadline: Instant) -> Answer {
        let line = request_to_json(self.0, request.bytes()).map_err(|error| error.to_string());
        let written =
            line.and_then(|line| writeln!(io::stdout(), "{line}").map_err(|error| error.to_string()));
        match written {
            Ok(()) => Answer::Accepted { rejected: 0, message: String::new() },
            Err(why) => Answer::Refused { why },
        }
    }
}
