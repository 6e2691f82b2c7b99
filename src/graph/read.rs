//! Reading a graph from OTLP files.
//!
//! Beside the walk. [`Reader`] takes files and streams, detects the format of each, and keeps what
//! a graph needs, in bounded memory.

mod format;
mod input;
mod json;
mod notes;
mod proto;
mod segment;
mod store;
mod zstd;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use self::input::Input;
use self::notes::Cause;
use self::store::Store;
use super::tool_call_graph::ToolCallGraph;
use crate::error::Error;
use crate::keys::Keys;

/// Reads spans and records from any number of OTLP files, or rows of a store, into one graph.
///
/// The format of a source is detected from its first bytes:
///
/// * JSON lines, with one message per line: as `json_lines`, a [`Pipeline`](crate::otlp::Pipeline)
///   and a Collector's file exporter write them;
/// * rows of the tables `otel_traces` and `otel_logs`, which a Collector's ClickHouse exporter fills, as
///   `FORMAT JSONEachRow` writes them, one on each line;
/// * JSON documents, each over any number of lines;
/// * protobuf: a message as it is sent, or messages with a length prefix of 4 bytes, as a
///   Collector's file exporter writes them with `format: proto`;
/// * a segment of a [spool](crate::otlp::Builder::with_spool), of a process that has ended or of one that
///   still runs;
/// * any of these, compressed with gzip or zstd as a whole;
/// * messages that are each compressed with zstd and have a length prefix of 4 bytes, as a Collector's
///   file exporter writes them with `compression: zstd`.
///
/// A message is an `ExportTraceServiceRequest` or an `ExportLogsServiceRequest`; `TracesData` and
/// `LogsData` look the same. A file may contain both traces and logs.
///
/// Of each span the kind, the attributes, the events and the links are read, with the service of its
/// resource.
///
/// What cannot be read is skipped: truncated messages, lines that are neither OTLP nor rows, strings of
/// more than 16 MiB, spans without ids. The graph's [`notes`](ToolCallGraph::notes) say so, with file
/// and line. Of a damaged message, everything before the damage is kept.
///
/// ```
/// use spanlog::graph::Reader;
///
/// let mut reader = Reader::new();
/// let line = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"job.deploy",
///     "traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331",
///     "startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000002500000000"}]}]}]}"#;
/// reader.read("standard input", line.as_bytes())?;
/// assert_eq!(reader.graph().to_text(), "✓ job.deploy  2.50 s\n");
/// # Ok::<(), spanlog::Error>(())
/// ```
#[derive(Debug)]
pub struct Reader {
    store: Store,
}

/// The default memory limit of a [`Reader`], in bytes: some 300,000 records.
pub const MEMORY_LIMIT: usize = 256 << 20;

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl Reader {
    /// A reader with [`MEMORY_LIMIT`], for the keys of all presets: [`Keys::nuon`], [`Keys::cicd`] and
    /// [`Keys::gen_ai`].
    pub fn new() -> Self {
        Self { store: Store::new(MEMORY_LIMIT) }
    }

    /// Sets the attribute names of tool, operation, job id and execution id, for what is read from then on.
    #[must_use]
    pub fn with_keys(mut self, keys: Keys) -> Self {
        self.store.keys = vec![keys];
        self
    }

    /// Sets the memory limit for spans and records, in bytes. Beyond it the oldest records are
    /// dropped, which are then only counted, and when there are none left the oldest spans. The
    /// graph's notes say how many. The memory in use is an estimate. The window of a zstd frame, 128
    /// MiB at most, comes on top while the frame is read.
    #[must_use]
    pub fn with_memory_limit(mut self, bytes: usize) -> Self {
        self.store.limit = bytes;
        self
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    ///
    /// If it cannot be opened or read, contains no OTLP, or has nothing that can be used. The reader can still
    /// read other files.
    pub fn read_path(&mut self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let file = File::open(path)
            .map_err(|error| Error::unreadable(format!("{name} cannot be opened")).with_source(error))?;
        if file.metadata().is_ok_and(|found| found.is_dir()) {
            return Err(Error::unreadable(format!("{name} is a directory, but must be a file")));
        }
        self.read(&name, file)
    }

    /// Reads `source` to its end. Notes and errors refer to it as `name`.
    ///
    /// # Errors
    ///
    /// If it cannot be read, contains no OTLP, or has no span and no record that can be used. An I/O error after
    /// some OTLP was read becomes a note.
    pub fn read(&mut self, name: &str, source: impl Read) -> Result<(), Error> {
        let mut input = format::decompress(Input::new(source));
        let (notes_before, mark) = (self.store.notes.clone(), self.store.mark());
        let found = format::read(name, &mut input, &mut self.store)?;
        let count = |notes: &notes::Notes| notes.count(Cause::Unusable) + notes.count(Cause::Malformed);
        let is_unusable = count(&self.store.notes) > count(&notes_before);
        if found > 0 && is_unusable && self.store.since(mark) == 0 {
            let why = self.store.notes.first_of(name).unwrap_or_default();
            let why = why.strip_prefix(name).unwrap_or(why).trim_start_matches([':', ' ']).to_owned();
            self.store.notes = notes_before;
            return Err(Error::unreadable(format!("{name} has nothing that can be used: {why}")));
        }
        match input.failure() {
            Some(error) if found == 0 => {
                Err(Error::unreadable(format!("{name} cannot be read")).with_source(error))
            }
            Some(error) => {
                let notes = &mut self.store.notes;
                notes.add(Cause::Source, || format!("{name}: could not be read to its end: {error}"));
                Ok(())
            }
            None if found == 0 => {
                let why =
                    self.store.notes.first_of(name).map(|note| format!(" ({note})")).unwrap_or_default();
                // The error says why. Notes are about sources that are part of the graph.
                self.store.notes = notes_before;
                Err(Error::unreadable(format!(
                    "{name} contains no OTLP: expected resourceSpans or resourceLogs as JSON, one message per \
                     line or one document, or as protobuf, or rows of otel_traces or otel_logs as \
                     JSONEachRow{why}"
                )))
            }
            None => Ok(()),
        }
    }

    /// The graph of what was read, with notes about what could not be read.
    pub fn graph(self) -> ToolCallGraph {
        ToolCallGraph::of_parts(self.store.into_parts())
    }
}

impl ToolCallGraph {
    /// Reads a graph from OTLP files, with the default settings of a [`Reader`].
    ///
    /// # Errors
    ///
    /// If a file cannot be opened or read, contains no OTLP, or has nothing that can be used. The message
    /// names the file.
    pub fn read_files<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Result<Self, Error> {
        let mut reader = Reader::new();
        for path in paths {
            reader.read_path(path)?;
        }
        Ok(reader.graph())
    }
}
