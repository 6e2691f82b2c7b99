//! OTLP JSON lines, as exporters for any SDK provider: one request per line, one signal per file.
//!
//! A collector's `otlpjsonfile` receiver reads these files. [`install`](crate::install) writes them
//! for `with_json_lines`, and such lines for the `console` exporter.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fmt, fs, io};

use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::{LogBatch, LogExporter};
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use opentelemetry_sdk::Resource;

use crate::error::Error;
use crate::otlp::json::request_to_json;
use crate::otlp::sdk::{logs_request, spans_request};
use crate::otlp::signal::Signal;
use crate::wire::read::Malformed;

/// Writes log records, one `ExportLogsServiceRequest` as JSON on each line.
///
/// Records of one target share a `scopeLogs`, whose scope name is the target, in the order in which
/// the targets first appear in the batch.
///
/// ```
/// use opentelemetry_sdk::logs::SdkLoggerProvider;
/// use spanlog::json_lines::JsonLinesLogExporter;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = std::env::temp_dir().join(format!("spanlog-doc-{}", std::process::id()));
/// let exporter = JsonLinesLogExporter::new(directory.join("logs.jsonl"))?;
/// let provider = SdkLoggerProvider::builder().with_batch_exporter(exporter).build();
/// # provider.shutdown()?;
/// # std::fs::remove_dir_all(directory)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct JsonLinesLogExporter(Lines);

impl JsonLinesLogExporter {
    /// An exporter that appends to the file at `path`, which is created with its directories if
    /// needed.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened for writing.
    pub fn new(path: impl AsRef<Path>) -> Result<Self, Error> {
        Lines::append(path.as_ref()).map(Self)
    }

    /// An exporter that writes to standard output.
    pub fn stdout() -> Self {
        Self(Lines::stdout())
    }
}

impl LogExporter for JsonLinesLogExporter {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        if batch.iter().next().is_none() {
            return Ok(());
        }
        let request = logs_request(&batch, &self.0.resource);
        self.0.write(request_to_json(Signal::Logs, &request))
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        self.0.close()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.resource = resource.clone();
    }
}

/// Writes finished spans, one `ExportTraceServiceRequest` as JSON on each line.
#[derive(Debug)]
pub struct JsonLinesSpanExporter(Lines);

impl JsonLinesSpanExporter {
    /// An exporter that appends to the file at `path`, which is created with its directories if
    /// needed.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened for writing.
    pub fn new(path: impl AsRef<Path>) -> Result<Self, Error> {
        Lines::append(path.as_ref()).map(Self)
    }

    /// An exporter that writes to standard output.
    pub fn stdout() -> Self {
        Self(Lines::stdout())
    }
}

impl SpanExporter for JsonLinesSpanExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        if batch.is_empty() {
            return Ok(());
        }
        let request = spans_request(&batch, &self.0.resource);
        self.0.write(request_to_json(Signal::Traces, &request))
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        self.0.close()
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.resource = resource.clone();
    }
}

/// A file, or standard output, that whole lines are written to, all of them with one resource.
struct Lines {
    /// For errors.
    name: PathBuf,
    resource: Resource,
    /// `None` after shutdown.
    out: Mutex<Option<Out>>,
}

struct Out {
    writer: Box<dyn Write + Send>,
    /// The last line is incomplete, so that the next one must begin with a line break.
    is_torn: bool,
}

impl Lines {
    fn append(path: &Path) -> Result<Self, Error> {
        let file = open(path).map_err(|error| {
            let shown = path.display().to_string();
            Error::setting("the path of the JSON lines", &shown, "a file that can be written to")
                .with_source(error)
        })?;
        Ok(Self::new(path, Box::new(file)))
    }

    fn stdout() -> Self {
        Self::new(Path::new("standard output"), Box::new(io::stdout()))
    }

    fn new(name: &Path, writer: Box<dyn Write + Send>) -> Self {
        let out = Mutex::new(Some(Out { writer, is_torn: false }));
        Self { name: name.to_owned(), resource: Resource::builder_empty().build(), out }
    }

    /// Nothing is buffered: the operating system has the line when this returns.
    fn write(&self, request: Result<String, Malformed>) -> OTelSdkResult {
        let mut out = self.lock();
        let out = out.as_mut().ok_or(OTelSdkError::AlreadyShutdown)?;
        let mut line = request.map_err(|error| self.failed("cannot be encoded for", &error))?;
        if out.is_torn {
            line.insert(0, '\n');
        }
        line.push('\n');
        let written = out.writer.write_all(line.as_bytes()).and_then(|()| out.writer.flush());
        out.is_torn = written.is_err();
        written.map_err(|error| self.failed("cannot be written to", &error))
    }

    fn flush(&self) -> OTelSdkResult {
        match self.lock().as_mut() {
            Some(out) => out.writer.flush().map_err(|error| self.failed("cannot be flushed to", &error)),
            None => Err(OTelSdkError::AlreadyShutdown),
        }
    }

    fn close(&self) -> OTelSdkResult {
        self.flush()?;
        *self.lock() = None;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Out>> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, what: &str, error: &dyn fmt::Display) -> OTelSdkError {
        OTelSdkError::InternalFailure(format!("JSON lines {what} {}: {error}", self.name.display()))
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lines").field(&self.name).finish()
    }
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        fs::create_dir_all(directory)?;
    }
    OpenOptions::new().create(true).append(true).open(path)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Takes half of the first write, then fails once.
    #[derive(Clone, Default)]
    struct Tearing(Arc<Mutex<(Vec<u8>, u32)>>);

    impl Write for Tearing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            state.1 += 1;
            let taken = match state.1 {
                1 => &bytes[..bytes.len() / 2],
                2 => return Err(io::Error::other("full")),
                _ => bytes,
            };
            state.0.extend_from_slice(taken);
            Ok(taken.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_torn_line_costs_no_other() {
        let writer = Tearing::default();
        let lines = Lines::new(Path::new("tearing"), Box::new(writer.clone()));
        let error = lines.write(Ok(r#"{"a":1}"#.into())).expect_err("the writer fails");
        assert!(error.to_string().contains("tearing: full"), "{error}");
        lines.write(Ok(r#"{"b":2}"#.into())).expect("the writer works again");
        lines.close().expect("it is open");
        assert!(matches!(lines.flush(), Err(OTelSdkError::AlreadyShutdown)));
        let state = writer.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(String::from_utf8_lossy(&state.0), "{\"a\"\n{\"b\":2}\n");
    }
}
