//! [`SignalSpool`]: the spool as the queue of one signal uses it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

use opentelemetry::SpanId;

use crate::diagnostics::report_once;
use crate::otlp::signal::Signal;
use crate::otlp::spool::directory::{Directory, Found};
use crate::otlp::spool::done::DoneBits;
use crate::otlp::spool::open_spans::OpenSpans;
use crate::otlp::spool::segment::Segment;
use crate::otlp::spool::{done, Spool, TakenOver};
use crate::wire::segment::{label_len, DATA_AT};

/// One signal's use of the spool.
#[derive(Clone, Debug)]
pub(crate) struct SignalSpool {
    spool: Arc<Spool>,
    signal: Signal,
    /// The encoded fields of the resource, which is in each segment.
    resource: Arc<[u8]>,
}

impl SignalSpool {
    pub(crate) fn new(spool: Arc<Spool>, signal: Signal, resource: &[u8]) -> Self {
        Self { spool, signal, resource: resource.into() }
    }

    /// A new segment with room for `data_len` bytes. `None` if that cannot be made, which is reported.
    pub(crate) fn create(&self, data_len: usize) -> Option<Segment> {
        match self.try_create(data_len) {
            Ok(segment) => {
                self.spool.is_full.store(false, Ordering::Release);
                Some(segment)
            }
            Err(error) => {
                self.spool.is_full.store(error.kind() == io::ErrorKind::StorageFull, Ordering::Release);
                let (items, root) = (self.signal.items(), self.spool.root.display());
                self.spool.fail(format!(
                    "{items} are kept in memory only, as the spool {root} takes no more: {error}"
                ));
                None
            }
        }
    }

    /// A new segment that is not wanted yet. `None` if it would take room that is short, or cannot be made.
    pub(super) fn create_ahead(&self, data_len: usize) -> Option<Segment> {
        let is_ample = self.spool.used.load(Ordering::Acquire) < self.spool.limit / 2;
        is_ample.then(|| self.try_create(data_len).ok()).flatten()
    }

    fn try_create(&self, data_len: usize) -> io::Result<Segment> {
        if !self.spool.is_usable() {
            return Err(io::Error::other("it was given up"));
        }
        let (own, signal) = (&self.spool.own, self.signal);
        self.make(data_len, signal, |number| own.segment(signal, number))
    }

    /// Makes a segment where `place` says for the number of its file.
    fn make(
        &self,
        data_len: usize,
        signal: Signal,
        place: impl FnOnce(u64) -> PathBuf,
    ) -> io::Result<Segment> {
        let (spool, bytes) = (&self.spool, self.size(data_len));
        spool.reserve(bytes)?;
        let number = spool.next_file.fetch_add(1, Ordering::Relaxed);
        let is_spans = u8::from(signal == Signal::Traces);
        let made = Segment::create(&place(number), number, is_spans, &self.resource, data_len);
        made.inspect_err(|_| _ = spool.used.fetch_sub(bytes, Ordering::AcqRel))
    }

    /// Whether the last segment could not be made for want of room.
    pub(crate) fn is_full(&self) -> bool {
        self.spool.is_full.load(Ordering::Acquire)
    }

    /// Whether the segments are those of the process that this one was forked from.
    #[inline]
    pub(crate) fn is_of_parent(&self) -> bool {
        self.spool.is_of_parent()
    }

    /// Calls `work` on the spool's thread whenever there is a [demand](Self::demand), until it returns false.
    pub(super) fn on_demand(&self, work: impl Fn() -> bool + Send + 'static) {
        self.spool.syncer.on_demand(Box::new(work));
    }

    pub(super) fn demand(&self) {
        self.spool.syncer.demand();
    }

    /// Reports that the spool took no more, if it is so.
    pub(crate) fn report_failure(&self) {
        let failure = self.spool.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(failure) = failure {
            report_once(format_args!("{failure}"));
        }
    }

    /// Whether one of the pipeline's own segments is still there: somebody may have removed the directory.
    pub(crate) fn has(&self, file: u64) -> bool {
        self.spool.own.segment(self.signal, file).exists()
    }

    /// Removes an empty segment.
    pub(crate) fn discard(&self, segment: Segment) {
        let (file, bytes) = (segment.file, self.size(segment.capacity()));
        drop(segment);
        self.spool.syncer.forget(self.signal, file);
        self.remove(&self.spool.own.segment(self.signal, file), bytes);
    }

    fn size(&self, data_len: usize) -> u64 {
        (label_len(self.resource.len()) + DATA_AT + data_len) as u64
    }

    /// A segment is begun: the disk does not have it yet.
    pub(crate) fn begun(&self, segment: &Segment) {
        self.spool.syncer.begun(self.signal, segment.file);
    }

    /// A segment is empty.
    pub(crate) fn forget(&self, file: u64) {
        self.spool.syncer.forget(self.signal, file);
    }

    /// Nothing is added to a segment any more.
    pub(crate) fn set_full(&self, file: u64) {
        self.spool.syncer.is_full(self.signal, file);
    }

    /// What is enqueued is on the disk before it is sent, if the program wants that.
    pub(crate) fn before_request(&self) {
        self.spool.syncer.before_request();
    }

    /// The pipeline's own directory.
    pub(crate) fn own(&self) -> Arc<Directory> {
        Arc::clone(&self.spool.own)
    }

    /// Takes over what processes that have ended left of this signal: their directories with their
    /// segments, the oldest first, and with the spans that had not ended.
    pub(crate) fn take_over(&self) -> Vec<(Arc<Directory>, Vec<Found>, Vec<Found>)> {
        let mut all = self.spool.taken_over.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = Vec::new();
        for path in Directory::all(&self.spool.root) {
            let known = all.entry(path.clone()).or_default();
            let directory = match known.directory.upgrade() {
                Some(directory) => directory,
                None => {
                    let Some(directory) = Directory::take_over(path).map(Arc::new) else { continue };
                    *known = TakenOver { directory: Arc::downgrade(&directory), ..TakenOver::default() };
                    directory
                }
            };
            if !std::mem::replace(&mut known.is_taken[self.signal as usize], true) {
                let segments = directory.segments(self.signal);
                let open = match self.signal {
                    Signal::Logs => Vec::new(),
                    Signal::Traces => directory.open_spans(),
                };
                let bytes: u64 = segments.iter().chain(&open).map(|found| found.bytes).sum();
                self.spool.used.fetch_add(bytes, Ordering::AcqRel);
                found.push((directory, segments, open));
            }
        }
        all.retain(|_, known| known.directory.strong_count() > 0);
        found.retain(|(_, segments, open)| !segments.is_empty() || !open.is_empty());
        found
    }

    /// Stores which entries of a segment need not be sent again.
    pub(crate) fn set_done(&self, path: &Path, number: u64, resource: usize, bits: &DoneBits) {
        // If that fails, they are sent once more.
        let _ = done::open(path).and_then(|file| done::write(&file, number, resource, bits));
    }

    /// Keeps a span that has started. `key`: that of its scope.
    pub(crate) fn span_started(&self, id: SpanId, key: &[u8], framed: &[u8]) {
        let spool = &self.spool;
        if spool.is_of_parent() {
            return;
        }
        let mut open_spans = self.open_spans();
        if !spool.is_usable() {
            return;
        }
        let create = |data_len: usize| {
            let own = &spool.own;
            let segment = self.make(data_len, Signal::Traces, |number| own.open_spans_segment(number))?;
            let path = own.open_spans_segment(segment.file);
            match done::open(&path) {
                Ok(file) => Ok((segment, file)),
                Err(error) => {
                    self.remove(&path, self.size(data_len));
                    Err(error)
                }
            }
        };
        if let Err(error) = open_spans.start(id, key, framed, create) {
            spool.fail(format!("a span that starts is not kept, as the spool takes no more: {error}"));
        }
    }

    fn open_spans(&self) -> MutexGuard<'_, OpenSpans> {
        self.spool.open_spans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A span has ended that may have been kept when it started.
    pub(crate) fn span_ended(&self, id: SpanId) {
        if self.spool.is_usable() {
            let idle = self.open_spans().end(id, self.resource.len());
            self.remove_open_spans(idle);
        }
    }

    /// Removes the segments of spans that have all ended.
    pub(crate) fn close_open_spans(&self) {
        if self.spool.is_usable() {
            let idle = self.open_spans().take_idle();
            self.remove_open_spans(idle);
        }
    }

    fn remove_open_spans(&self, idle: impl IntoIterator<Item = Segment>) {
        for segment in idle {
            let (number, bytes) = (segment.file, self.size(segment.capacity()));
            drop(segment);
            self.remove(&self.spool.own.open_spans_segment(number), bytes);
        }
    }

    /// What was taken over is not there, or cannot be read: it does not count any more.
    pub(crate) fn forget_taken_over(&self, bytes: u64) {
        self.spool.used.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// Gives the directory up.
    #[cfg(all(test, loom))]
    pub(crate) fn release(&self) {
        self.spool.release();
    }

    pub(crate) fn signal(&self) -> Signal {
        self.signal
    }

    /// The bytes of the resource in this pipeline's own segments.
    pub(crate) fn resource(&self) -> &[u8] {
        &self.resource
    }

    /// Removes a segment of `bytes` bytes.
    pub(crate) fn remove(&self, path: &Path, bytes: u64) {
        // One that cannot be removed is sent once more.
        let _ = fs::remove_file(path);
        self.spool.used.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// Removes one of the pipeline's own segments.
    pub(crate) fn remove_own(&self, file: u64) {
        let path = self.spool.own.segment(self.signal, file);
        let bytes = fs::metadata(&path).map_or(0, |found| found.len());
        self.forget(file);
        self.remove(&path, bytes);
    }
}
