//! Encoded records, framed as an `ExportLogsServiceRequest`: the resource once, one `ScopeLogs` for
//! each scope. An `ExportTraceServiceRequest` with its `ScopeSpans` has the same field numbers.
//!
//! A batch is a list of segments: the records stay in the chunks that their threads wrote them to,
//! and are copied only when a transport wants the request in one piece.

use std::collections::HashMap;
use std::mem;
use std::ops::Range;
use std::sync::Arc;

use opentelemetry::logs::AnyValue;
use opentelemetry::Key;

use crate::otlp::deliver::chunk_ref::ChunkRef;
use crate::otlp::queue::chunk::Piece;
use crate::otlp::queue::control::Taken;
use crate::otlp::signal::Signal;
use crate::otlp::span::scope;
use crate::value::Value;
use crate::wire::put::{field_len, put_bytes, put_header, put_pair};
use crate::wire::read::{each, Fields, Malformed, Raw};

/// The encoded `Resource` message with which every request of a pipeline begins.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resource(Vec<u8>);

impl Resource {
    #[cfg_attr(
        not(any(test, feature = "otlp-http")),
        expect(dead_code, reason = "only the builder knows a resource")
    )]
    pub(crate) fn new<'a>(attributes: impl IntoIterator<Item = (&'a Key, &'a AnyValue)>) -> Self {
        let mut bytes = Vec::new();
        for (key, value) in attributes {
            put_pair(&mut bytes, 1, key.as_str(), &Value::Any(value));
        }
        Self(bytes)
    }

    /// The encoded fields of a `Resource`.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Resource {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

/// How many scopes are cached from one request to the next. The requests of most programs allocate
/// nothing.
const MAX_CACHED_SCOPES: usize = 32;

/// How many segments a request keeps memory for, so that one large request does not keep its memory
/// for ever.
const MAX_SPARE_SEGMENTS: usize = 1024;

/// How many bytes a request keeps for its frames, and for its single piece.
const MAX_SPARE_BYTES: usize = 256 * 1024;

/// The records of the next request, grouped by scope in the order in which the scopes were first
/// seen.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    signal: Signal,
    /// The scopes of this request, and cached ones without records.
    scopes: Vec<Scope>,
    /// Indices into `scopes`.
    by_key: HashMap<Box<[u8]>, usize>,
    /// The scopes of this request, in their order: indices into `scopes`.
    used: Vec<usize>,
    /// The chunks that the records are in.
    chunks: Vec<Arc<ChunkRef>>,
    records: usize,
    /// An upper bound of what the scopes take in the request, records and frames included.
    max_len: usize,
}

/// The longest frame: a tag and a length.
const FRAME: usize = 1 + 10;

#[derive(Debug)]
struct Scope {
    /// What comes before and after the records: the scope, and the URL of its schema.
    frames: ScopeFrames,
    /// The records, each with its header: the `log_records` of a `ScopeLogs`.
    records: Vec<Segment>,
    records_len: usize,
}

/// A range of a request's bytes.
#[derive(Clone, Debug)]
struct Segment {
    /// The chunk that it is in: an index into `chunks`. `None` for frames.
    chunk: Option<usize>,
    bytes: Range<usize>,
    /// The numbers of its records in the chunk.
    records: Range<usize>,
    /// The id of their job's account; 0 if there is none.
    job: u64,
}

/// Records of a request, in its order.
#[derive(Clone, Debug)]
struct Origin {
    chunk: Arc<ChunkRef>,
    records: Range<usize>,
    job: u64,
}

/// The encoded fields of a `ScopeLogs` or `ScopeSpans` before and after its records.
#[derive(Debug)]
struct ScopeFrames {
    before: Vec<u8>,
    after: Vec<u8>,
}

impl ScopeFrames {
    fn of(signal: Signal, key: &[u8]) -> Self {
        match signal {
            Signal::Logs => {
                let mut message = Vec::new();
                if !key.is_empty() {
                    put_bytes(&mut message, 1, key);
                }
                let mut before = Vec::new();
                put_bytes(&mut before, 1, &message);
                Self { before, after: Vec::new() }
            }
            Signal::Traces => {
                let (before, after) = scope::split(key);
                Self { before: before.to_vec(), after: after.to_vec() }
            }
        }
    }

    fn len(&self) -> usize {
        self.before.len() + self.after.len()
    }
}

impl Batch {
    pub(crate) fn new(signal: Signal) -> Self {
        Self { signal, ..Self::default() }
    }

    /// Adds the records of `piece`, which is a part of `chunk`.
    pub(crate) fn add(&mut self, chunk: &Arc<ChunkRef>, piece: &Piece<'_>) {
        if self.chunks.last().is_none_or(|last| !Arc::ptr_eq(last, chunk)) {
            self.chunks.push(Arc::clone(chunk));
        }
        let index = match self.by_key.get(piece.scope) {
            Some(index) => *index,
            None => self.add_scope(piece.scope),
        };
        let scope = &mut self.scopes[index];
        if scope.records.is_empty() {
            self.used.push(index);
            self.max_len += FRAME + scope.frames.len();
        }
        let bytes = piece.framed.clone();
        scope.records_len += bytes.len();
        self.max_len += bytes.len();
        self.records += piece.records;
        let records = piece.first..piece.first + piece.records;
        let chunk = Some(self.chunks.len() - 1);
        scope.records.push(Segment { chunk, bytes, records, job: piece.job });
    }

    fn add_scope(&mut self, key: &[u8]) -> usize {
        let frames = ScopeFrames::of(self.signal, key);
        self.scopes.push(Scope { frames, records: Vec::new(), records_len: 0 });
        self.by_key.insert(key.into(), self.scopes.len() - 1);
        self.scopes.len() - 1
    }

    /// An upper bound of the request's length once a scope with this key is added to it.
    pub(crate) fn max_len_with(&self, resource: &Resource, scope: &[u8]) -> usize {
        2 * FRAME + resource.0.len() + self.max_len + 3 * FRAME + scope.len()
    }

    pub(crate) fn records(&self) -> usize {
        self.records
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Makes the request, in the memory of `spare`, which is empty. Leaves the batch empty.
    pub(crate) fn finish(&mut self, resource: &Resource, spare: Request) -> Request {
        let mut request = spare;
        let scopes = self.used.iter().map(|index| field_len(self.scopes[*index].len()));
        let len = field_len(resource.0.len()) + scopes.sum::<usize>();
        request.len = field_len(len);
        request.records = self.records as u64;
        put_header(&mut request.frames, 1, len);
        put_bytes(&mut request.frames, 1, &resource.0);
        let mut framed = 0;
        let mut frame = |frames: &[u8]| Segment {
            chunk: None,
            bytes: mem::replace(&mut framed, frames.len())..frames.len(),
            records: 0..0,
            job: 0,
        };
        request.segments.push(frame(&request.frames));
        for index in self.used.drain(..) {
            let scope = &mut self.scopes[index];
            put_header(&mut request.frames, 2, scope.len());
            request.frames.extend_from_slice(&scope.frames.before);
            request.segments.push(frame(&request.frames));
            request.segments.append(&mut scope.records);
            if !scope.frames.after.is_empty() {
                request.frames.extend_from_slice(&scope.frames.after);
                request.segments.push(frame(&request.frames));
            }
            scope.records.shrink_to(MAX_SPARE_SEGMENTS);
            scope.records_len = 0;
        }
        mem::swap(&mut request.chunks, &mut self.chunks);
        (self.records, self.max_len) = (0, 0);
        if self.scopes.len() > MAX_CACHED_SCOPES {
            *self = Self::new(self.signal);
        }
        request
    }
}

impl Scope {
    /// The length of the `ScopeLogs` or `ScopeSpans` message.
    fn len(&self) -> usize {
        self.frames.len() + self.records_len
    }
}

/// An encoded `ExportLogsServiceRequest`, as a list of segments.
#[derive(Debug, Default)]
pub(crate) struct Request {
    /// Everything but the records, front to back.
    frames: Vec<u8>,
    chunks: Vec<Arc<ChunkRef>>,
    segments: Vec<Segment>,
    /// Where the records of a part of a request are, which is not made of segments of chunks.
    origins: Vec<Origin>,
    records: u64,
    len: usize,
    /// The request in one piece, once a transport asked for that.
    joined: Vec<u8>,
}

impl Request {
    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The request in one piece, which is assembled once, however often it is sent.
    pub(crate) fn bytes(&mut self) -> &[u8] {
        if self.joined.is_empty() {
            let mut joined = mem::take(&mut self.joined);
            self.append_to(&mut joined);
            self.joined = joined;
        }
        &self.joined
    }

    /// The request in memory of its own.
    #[cfg_attr(not(any(test, fuzzing, feature = "grpc")), expect(dead_code, reason = "only tonic keeps it"))]
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.append_to(&mut bytes);
        bytes
    }

    /// Two requests with half of the records each. `None` if there is only one record.
    pub(crate) fn split(&mut self) -> Option<[Self; 2]> {
        if self.records < 2 {
            return None;
        }
        let half = self.records / 2;
        let whole = self.bytes();
        let parts = [part(whole, 0..half).ok()?, part(whole, half..u64::MAX).ok()?];
        let [mut first, mut second] = parts.map(Self::from);
        (first.records, second.records) = (half, self.records - half);
        let mut left = half as usize;
        self.each_origin(|chunk, records, job| {
            let middle = records.start + left.min(records.len());
            left -= middle - records.start;
            for (part, records) in [(&mut first, records.start..middle), (&mut second, middle..records.end)] {
                if !records.is_empty() {
                    part.origins.push(Origin { chunk: Arc::clone(chunk), records, job });
                }
            }
        });
        Some([first, second])
    }

    /// Calls `each` with the chunks of the records, their numbers in there, and their job.
    fn each_origin<'a>(&'a self, mut each: impl FnMut(&'a Arc<ChunkRef>, Range<usize>, u64)) {
        for Segment { chunk, records, job, .. } in &self.segments {
            if let Some(chunk) = chunk.and_then(|chunk| self.chunks.get(chunk)) {
                each(chunk, records.clone(), *job);
            }
        }
        self.origins.iter().for_each(|origin| each(&origin.chunk, origin.records.clone(), origin.job));
    }

    /// Calls `each` with the jobs of its records, in their order, 0 for none: the number of records, and whether
    /// they are in the spool.
    pub(crate) fn each_job(&self, mut each: impl FnMut(u64, u64, bool)) {
        self.each_origin(|chunk, records, job| {
            each(job, records.len() as u64, chunk.is_spooled());
        });
    }

    /// The records of the request, and how many of them are in the spool.
    pub(crate) fn taken(&self) -> Taken {
        let mut taken = Taken { records: self.records, spooled: 0 };
        self.each_origin(|chunk, records, _| {
            if chunk.is_spooled() {
                taken.spooled += records.len() as u64;
            }
        });
        taken
    }

    /// The records have an outcome, and need not be sent again.
    pub(crate) fn set_done(&self) {
        let mut chunks: Vec<&Arc<ChunkRef>> = Vec::new();
        self.each_origin(|chunk, records, _| {
            if chunk.is_spooled() {
                chunk.set_done(records);
                if !chunks.iter().rev().any(|known| Arc::ptr_eq(known, chunk)) {
                    chunks.push(chunk);
                }
            }
        });
        chunks.into_iter().for_each(|chunk| chunk.store_done());
    }

    fn append_to(&self, out: &mut Vec<u8>) {
        out.reserve_exact(self.len);
        for segment in &self.segments {
            let all = match segment.chunk {
                Some(chunk) => self.chunks[chunk].bytes(),
                None => &self.frames,
            };
            out.extend_from_slice(&all[segment.bytes.clone()]);
        }
    }

    /// Releases the records, and keeps memory for the next request.
    pub(crate) fn clear(&mut self) {
        self.chunks.clear();
        self.origins.clear();
        self.segments.clear();
        self.segments.shrink_to(MAX_SPARE_SEGMENTS);
        for bytes in [&mut self.frames, &mut self.joined] {
            bytes.clear();
            bytes.shrink_to(MAX_SPARE_BYTES);
        }
        (self.records, self.len) = (0, 0);
    }
}

/// An encoded request without its number of records.
impl From<Vec<u8>> for Request {
    fn from(bytes: Vec<u8>) -> Self {
        let whole = Segment { chunk: None, bytes: 0..bytes.len(), records: 0..0, job: 0 };
        Self { len: bytes.len(), segments: vec![whole], frames: bytes, ..Self::default() }
    }
}

/// The request with only those of its records whose index is in `kept`.
fn part(request: &[u8], kept: Range<u64>) -> Result<Vec<u8>, Malformed> {
    let mut next = 0;
    filtered(request, 3, &mut |_| {
        next += 1;
        kept.contains(&(next - 1))
    })
}

/// A message whose nested messages `levels` deep are records, with those for which `keeps` is true.
/// The way down leads through field 1 of the request, field 2 of `ResourceLogs`, and field 2 of
/// `ScopeLogs`. Messages on it that end up without records are left out.
fn filtered(message: &[u8], levels: u8, keeps: &mut dyn FnMut(&[u8]) -> bool) -> Result<Vec<u8>, Malformed> {
    let down = if levels == 3 { 1 } else { 2 };
    let mut out = Vec::new();
    let mut fields = Fields::of(message);
    loop {
        let begin = fields.rest();
        let Some((number, raw)) = fields.next()? else { return Ok(out) };
        let whole = &begin[..begin.len() - fields.rest().len()];
        match raw {
            Raw::Bytes(content) if number == u64::from(down) && levels > 1 => {
                let inner = filtered(content, levels - 1, keeps)?;
                if has_field(&inner, 2)? {
                    put_bytes(&mut out, down, &inner);
                }
            }
            Raw::Bytes(content) if number == 2 && !keeps(content) => {}
            _ => out.extend_from_slice(whole),
        }
    }
}

fn has_field(message: &[u8], number: u64) -> Result<bool, Malformed> {
    let mut found = false;
    each(message, |field, _| {
        found |= field == number;
        Ok(())
    })?;
    Ok(found)
}

#[cfg(any(test, fuzzing))]
mod alone {
    use std::sync::Weak;

    use super::*;
    use crate::otlp::queue::chunk::{Chunk, Encoded, ScopeKey, MAX_HEADER};

    impl Batch {
        /// Adds one encoded `LogRecord`, where the worker adds many at a time.
        pub(crate) fn add_one(&mut self, scope: &[u8], record: &[u8]) {
            let mut front = vec![0; MAX_HEADER];
            front.extend_from_slice(record);
            let (key, record) = (ScopeKey::Static(b""), Encoded::new(&mut front, MAX_HEADER, &[]));
            let mut chunk = Chunk::default();
            chunk.add(key, 0, &record, Chunk::max_cost(key, record.len()));
            let chunk = Arc::new(ChunkRef::new(Box::new(chunk), Weak::new()));
            for piece in chunk.pieces() {
                self.add(&chunk, &Piece { scope, ..piece });
            }
        }

        /// The request, in memory of its own.
        pub(crate) fn request(&mut self, resource: &Resource) -> Vec<u8> {
            self.finish(resource, Request::default()).to_vec()
        }
    }
}
