//! Reading a graph back from what was written to disk.
//!
//! Beside the walk. [`Reader`] takes files and streams, finds out which form of OTLP each has, and
//! keeps what a graph needs of it, in bounded memory.

mod input;
mod json;
mod notes;
mod proto;
mod spans;
mod store;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;

use self::input::Input;
use self::notes::{Cause, Notes};
use self::store::Store;
use super::tool_call_graph::ToolCallGraph;
use crate::error::Error;
use crate::keys::Keys;

/// Reads spans and records back from OTLP files, as many as belong to one graph.
///
/// Each source has one of these forms, which is found out by its first bytes:
///
/// * JSON lines, one message on each: what [`json_lines`](crate::json_lines) and a
///   [`Pipeline`](crate::otlp::Pipeline) write, and a Collector's file exporter;
/// * JSON documents over many lines;
/// * protobuf: a message as it goes over the wire, or the Collector's file exporter's `format: proto`,
///   with the length of each message in 4 bytes before it;
/// * any of these, compressed with gzip.
///
/// A message is an `ExportTraceServiceRequest` or an `ExportLogsServiceRequest`; `TracesData` and
/// `LogsData` look the same. Traces and logs may stand in one file.
///
/// What cannot be read is skipped and told in the graph's [`notes`](ToolCallGraph::notes), with file and
/// line: a line that is cut short, a line of something else, a string of more than 16 MiB, a span
/// without ids. What stands in a message before the place where it is damaged is kept.
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
    notes: Notes,
}

/// How much a [`Reader`] keeps, by default: some 300,000 records.
pub const MEMORY_LIMIT: usize = 256 << 20;

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl Reader {
    /// A reader that has read nothing, with the default keys and [`MEMORY_LIMIT`].
    pub fn new() -> Self {
        Self { store: Store::new(Keys::default(), MEMORY_LIMIT), notes: Notes::default() }
    }

    /// Sets under which names tool, operation and execution are found in what is read from then on.
    #[must_use]
    pub fn with_keys(mut self, keys: Keys) -> Self {
        self.store.keys = keys;
        self
    }

    /// Sets how many bytes of spans and records are kept, whatever is read: beyond that the oldest
    /// records go, of which then only the number is known, and when there are none the oldest spans.
    /// The graph says how many went. The figure is an estimate of what they take in memory.
    #[must_use]
    pub fn with_memory_limit(mut self, bytes: usize) -> Self {
        self.store.limit = bytes;
        self
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    ///
    /// If it cannot be opened or read, or nothing in it is OTLP. The reader can go on with others.
    pub fn read_path(&mut self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let file = File::open(path);
        let is_directory = file.as_ref().is_ok_and(|file| file.metadata().is_ok_and(|found| found.is_dir()));
        if is_directory {
            return Err(Error::unreadable(format!("{name} is a directory, but must be a file")));
        }
        let file =
            file.map_err(|error| Error::unreadable(format!("{name} cannot be opened")).with_source(error))?;
        self.read(&name, file)
    }

    /// Reads everything that comes from `source`, which the notes call `name`.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or nothing in it is OTLP. An error in its midst is a note.
    pub fn read(&mut self, name: &str, source: impl Read) -> Result<(), Error> {
        let mut input = Input::new(source);
        if input.peek(2).starts_with(&GZIP) {
            input = Input::new(MultiGzDecoder::new(input));
        }
        let before = self.notes.clone();
        let found = self.read_plain(name, &mut input)?;
        match input.failure() {
            Some(error) if found == 0 => {
                Err(Error::unreadable(format!("{name} cannot be read")).with_source(error))
            }
            Some(error) => {
                self.notes.add(Cause::Source, || format!("{name}: could not be read to its end: {error}"));
                Ok(())
            }
            None if found == 0 => {
                let error = self.nothing_in(name);
                // The error says it; notes are for graphs that have something of the source in them.
                self.notes = before;
                Err(error)
            }
            None => Ok(()),
        }
    }

    /// The graph of what was read, and the notes of what could not be.
    pub fn graph(self) -> ToolCallGraph {
        ToolCallGraph::of_parts(self.store.into_parts(self.notes.texts()))
    }

    /// Returns how much of it was OTLP.
    fn read_plain(&mut self, name: &str, input: &mut Input<'_>) -> Result<u64, Error> {
        if input.peek(BYTE_ORDER_MARK.len()).starts_with(&BYTE_ORDER_MARK) {
            input.take(BYTE_ORDER_MARK.len());
        }
        let (store, notes) = (&mut self.store, &mut self.notes);
        let ahead = input.peek(PEEK_BYTES);
        // A Collector compresses message by message, each with its length before it.
        if ahead.starts_with(&ZSTD) || ahead.get(4..).is_some_and(|ahead| ahead.starts_with(&ZSTD)) {
            return Err(Error::unreadable(format!(
                "{name} is compressed with zstd, which is not supported; decompress it first"
            )));
        }
        if ahead.is_empty() && input.has_failed() {
            return Ok(0);
        }
        let ahead = input.peek(PEEK_BYTES);
        if ahead.is_empty() {
            notes.add(Cause::Source, || format!("{name}: empty"));
            // Not an error: an exporter makes its file before it has anything to write.
            return Ok(1);
        }
        Ok(match ahead {
            ahead if is_json(ahead) => json::read(name, input, store, notes),
            ahead if proto::is_framed(ahead) => proto::read(name, true, input, store, notes),
            ahead if proto::is_bare(ahead) => proto::read(name, false, input, store, notes),
            _ => json::read(name, input, store, notes),
        })
    }

    fn nothing_in(&self, name: &str) -> Error {
        let why = self.notes.first_of(name).map(|note| format!(" ({note})")).unwrap_or_default();
        Error::unreadable(format!(
            "{name} contains no OTLP: expected resourceSpans or resourceLogs as JSON, one message per line or \
             one document, or as protobuf{why}"
        ))
    }
}

impl ToolCallGraph {
    /// The graph of what stands in OTLP files, with the settings that a [`Reader`] has by default.
    ///
    /// # Errors
    ///
    /// If a file cannot be opened or read, or nothing in it is OTLP; the text names it.
    pub fn read_files<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Result<Self, Error> {
        let mut reader = Reader::new();
        for path in paths {
            reader.read_path(path)?;
        }
        Ok(reader.graph())
    }
}

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// Enough to tell the forms apart.
const PEEK_BYTES: usize = 256;

/// Whether an object in JSON begins here. Protobuf may begin with a line break too, and with a length
/// that is a brace; but no field of OTLP would then begin with a quote.
fn is_json(ahead: &[u8]) -> bool {
    let inside = ahead.trim_ascii_start().strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
    inside.is_some_and(|inside| inside.is_empty() || inside.starts_with(b"\"") || inside.starts_with(b"}"))
}
