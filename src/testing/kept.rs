//! [`Kept`]: what one capture has so far.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use opentelemetry::logs::Severity;
use opentelemetry::SpanId;

use crate::testing::record::Record;
use crate::testing::runtime;
use crate::testing::span::Span;

/// How many of the records and spans without a capture are named, of each kind.
const NAMED: usize = 10;

/// What one capture has so far. Its spans and threads refer to it after it has ended, so that what
/// they do then is given to no other capture.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Its number, from 1.
    pub(crate) number: u64,
    /// Who made it: two captures of one runtime are told apart by that.
    pub(crate) maker: Maker,
    contents: Mutex<Contents>,
}

/// A thread, and the tokio task that ran on it.
pub(crate) type Maker = (ThreadId, Option<runtime::TaskId>);

/// The records, the spans and the losses of a capture.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    pub(crate) records: Vec<Record>,
    pub(crate) spans: Vec<Span>,
    /// Where each span is in the list.
    places: HashMap<SpanId, usize>,
    /// Of these events, no record could be made.
    pub(crate) lost: Vec<String>,
    /// Records and spans that may be this capture's.
    pub(crate) unattributed: Strays,
    /// Those that are taken for other tests'.
    pub(crate) others: Strays,
    /// Less severe records are left out.
    least: Option<Severity>,
    is_over: bool,
}

/// Records and spans without a capture.
#[derive(Clone, Debug, Default)]
pub(crate) struct Strays {
    pub(crate) count: usize,
    /// The first of them.
    pub(crate) named: Vec<String>,
}

impl Kept {
    pub(crate) fn new(number: u64) -> Self {
        let maker = (thread::current().id(), runtime::task());
        Self { number, maker, contents: Mutex::default() }
    }

    /// One that has ended.
    pub(crate) fn ended(number: u64) -> Self {
        let kept = Self::new(number);
        kept.end();
        kept
    }

    pub(crate) fn is_over(&self) -> bool {
        self.lock().is_over
    }

    /// Keeps records of this severity and above.
    pub(crate) fn set_least(&self, severity: Severity) {
        self.lock().least = Some(severity);
    }

    pub(crate) fn contents(&self) -> Contents {
        self.lock().clone()
    }

    pub(crate) fn add_record(&self, record: Record) {
        self.change(|contents| {
            if contents.least.is_none_or(|least| record.severity >= least) {
                contents.records.push(record);
            }
        });
    }

    /// Adds a span, or puts one that has ended in the place of what it was at its start.
    pub(crate) fn put_span(&self, span: Span) {
        self.change(|contents| match contents.places.get(&span.span_id) {
            Some(place) => contents.spans[*place] = span,
            None => {
                contents.places.insert(span.span_id, contents.spans.len());
                contents.spans.push(span);
            }
        });
    }

    pub(crate) fn add_lost(&self, event: String) {
        self.change(|contents| contents.lost.push(event));
    }

    pub(crate) fn add_stray(&self, what: &str, is_others: bool) {
        self.change(|contents| {
            let strays = if is_others { &mut contents.others } else { &mut contents.unattributed };
            strays.count += 1;
            if strays.named.len() < NAMED {
                strays.named.push(what.to_owned());
            }
        });
    }

    /// Ends it: it keeps nothing from now on. Returns the spans that have not ended.
    pub(crate) fn end(&self) -> Vec<SpanId> {
        let contents =
            std::mem::replace(&mut *self.lock(), Contents { is_over: true, ..Contents::default() });
        contents.spans.iter().filter(|span| span.end.is_none()).map(|span| span.span_id).collect()
    }

    fn change(&self, change: impl FnOnce(&mut Contents)) {
        let mut contents = self.lock();
        if !contents.is_over {
            change(&mut contents);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    /// The span with this id.
    pub(crate) fn span(&self, id: SpanId) -> Option<&Span> {
        self.places.get(&id).map(|place| &self.spans[*place])
    }
}
