//! The stamps of spans under one set of keys, as fields that can be recorded.

use tracing_core::field::{FieldSet, Value};
use tracing_core::span::Record;

use crate::callsite::{span_metadata, Cache};
use crate::correlate::span_state::SpanState;
use crate::keys::{Keys, JOB_KEYS};

const STAMPS: usize = 2 + JOB_KEYS;

/// The stamps of spans under one set of keys, as fields that can be recorded.
#[derive(Debug)]
pub(crate) struct StampFields {
    /// Tool, operation, and the job's, in this order.
    names: [&'static str; STAMPS],
    fields: &'static FieldSet,
}

impl StampFields {
    pub(crate) fn of(keys: Keys) -> &'static Self {
        static SETS: Cache<Keys, StampFields> = Cache::new();
        SETS.get(keys, || {
            let names = std::array::from_fn(|index| match index {
                0 => keys.tool(),
                1 => keys.operation(),
                _ => keys.job()[index - 2],
            });
            let metadata = span_metadata("stamps", "spanlog::stamps", Box::leak(Box::new(names)), None);
            Box::leak(Box::new(StampFields { names, fields: metadata.fields() }))
        })
    }

    /// Passes tool, operation and the job's metadata to `forward` as one record. Names for which
    /// the span has a field of its own are left out: the caller's value takes precedence.
    pub(crate) fn with_record(&self, state: &SpanState, forward: impl FnOnce(&Record<'_>)) {
        let own = |name: &str| {
            state.fields.iter().any(|(key, _)| key.as_str() == name)
                || state.job_added.iter().any(|added| added.key.as_str() == name)
        };
        let op = state.op.as_ref();
        let job = state.job();
        // Arrays save four allocations for each stamped span.
        let texts: [Option<&str>; STAMPS] = std::array::from_fn(|index| {
            let text = match index {
                0 => op.and_then(|op| op.tool.as_deref()),
                1 => op.and_then(|op| op.operation.as_deref()),
                _ => job.map(|job| job.metadata.value(index - 2)).filter(|value| !value.is_empty()),
            };
            text.filter(|_| !own(self.names[index]))
        });
        let values: [Option<&dyn Value>; STAMPS] =
            std::array::from_fn(|index| texts[index].as_ref().map(|text| text as &dyn Value));
        let values = self.fields.value_set_all(&values);
        forward(&Record::new(&values));
    }
}
