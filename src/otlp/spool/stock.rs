//! Segments that are made ahead, so that threads that emit do not wait for a file to be written.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::otlp::spool::segment::Segment;
use crate::otlp::spool::signal::SignalSpool;

/// How many are made ahead, once one was wanted.
const AHEAD: usize = 4;

/// Empty segments of one size.
#[derive(Debug)]
pub(crate) struct Stock {
    spool: SignalSpool,
    data_len: usize,
    ready: Mutex<Vec<Segment>>,
    /// Held while a segment is made ahead. True once none is wanted any more.
    is_closed: Mutex<bool>,
}

impl Stock {
    /// A stock of segments with room for `data_len` bytes, which the spool's thread fills.
    pub(crate) fn new(spool: SignalSpool, data_len: usize) -> Arc<Self> {
        let stock = Arc::new(Self { spool, data_len, ready: Mutex::default(), is_closed: Mutex::default() });
        let weak = Arc::downgrade(&stock);
        stock.spool.on_demand(move || weak.upgrade().map(|stock| stock.fill()).is_some());
        stock
    }

    pub(crate) fn spool(&self) -> &SignalSpool {
        &self.spool
    }

    /// A segment with room for `data_len` bytes, which is made here if none is ready. `None` if that cannot be
    /// made.
    pub(crate) fn take(&self, data_len: usize) -> Option<Segment> {
        if data_len > self.data_len {
            return self.spool.create(data_len);
        }
        let ready = self.lock().pop();
        self.spool.demand();
        ready.or_else(|| self.spool.create(self.data_len))
    }

    fn fill(&self) {
        loop {
            let is_closed = self.is_closed.lock().unwrap_or_else(PoisonError::into_inner);
            if *is_closed || self.lock().len() >= AHEAD {
                return;
            }
            let Some(segment) = self.spool.create_ahead(self.data_len) else { return };
            self.lock().push(segment);
        }
    }

    /// Removes what is there, and makes no more.
    pub(crate) fn close(&self) {
        *self.is_closed.lock().unwrap_or_else(PoisonError::into_inner) = true;
        let ready = std::mem::take(&mut *self.lock());
        ready.into_iter().for_each(|segment| self.spool.discard(segment));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Segment>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
