//! Finished records, framed as an `ExportLogsServiceRequest`: the resource once, one `ScopeLogs` for each scope.

use std::collections::HashMap;

use opentelemetry::logs::AnyValue;
use opentelemetry::Key;

use super::wire::{field_len, put_bytes, put_header, put_pair};
use crate::record::Value;

/// The encoded `Resource` message that every request of a pipeline begins with.
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
}

/// Records on their way to one request, grouped by scope in the order in which scopes were first seen.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    scopes: Vec<Scope>,
    by_name: HashMap<String, usize>,
    records: usize,
    /// What the scopes take in the request at most, the records and all frames included.
    most: usize,
    /// The memory of earlier scopes' records: a request's worth of it grows slowly and is large.
    spare: Vec<Vec<u8>>,
}

/// As many scopes get back the memory of an earlier batch's.
const SPARE: usize = 4;

/// What frames take at most: a tag and a length for each.
const FRAME: usize = 1 + 10;

#[derive(Debug)]
struct Scope {
    /// The encoded `InstrumentationScope` message.
    message: Vec<u8>,
    /// The records, each with its header: the `log_records` of a `ScopeLogs`.
    records: Vec<u8>,
}

impl Batch {
    /// Adds so many encoded `LogRecord`s of the scope `scope`, each with its header as field 2.
    pub(crate) fn add_framed(&mut self, scope: &str, records: usize, framed: &[u8]) {
        let index = match self.by_name.get(scope) {
            Some(index) => *index,
            None => {
                let mut message = Vec::new();
                if !scope.is_empty() {
                    put_bytes(&mut message, 1, scope.as_bytes());
                }
                self.most += 2 * FRAME + message.len();
                self.scopes.push(Scope { message, records: self.spare.pop().unwrap_or_default() });
                self.by_name.insert(scope.to_owned(), self.scopes.len() - 1);
                self.scopes.len() - 1
            }
        };
        self.scopes[index].records.extend_from_slice(framed);
        self.records += records;
        self.most += framed.len();
    }

    /// Adds one encoded `LogRecord`. The worker gets them framed, many at a time.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn add(&mut self, scope: &str, record: &[u8]) {
        let mut framed = Vec::new();
        put_bytes(&mut framed, 2, record);
        self.add_framed(scope, 1, &framed);
    }

    /// As new, with the memory that it has.
    pub(crate) fn clear(&mut self) {
        for scope in self.scopes.drain(..) {
            if self.spare.len() < SPARE {
                let mut records = scope.records;
                records.clear();
                self.spare.push(records);
            }
        }
        self.by_name.clear();
        (self.records, self.most) = (0, 0);
    }

    /// How many bytes the request has at most once a scope of this name is added to it.
    pub(crate) fn most_with(&self, resource: &Resource, scope: &str) -> usize {
        2 * FRAME + resource.0.len() + self.most + 3 * FRAME + scope.len()
    }

    pub(crate) fn records(&self) -> usize {
        self.records
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records == 0
    }

    fn resource_logs_len(&self, resource: &Resource) -> usize {
        let scopes = self.scopes.iter().map(|scope| field_len(scope.len()));
        field_len(resource.0.len()) + scopes.sum::<usize>()
    }

    /// The request. The batch stays as it is, so that it can be sent in another form or split.
    pub(crate) fn request(&self, resource: &Resource) -> Vec<u8> {
        let len = self.resource_logs_len(resource);
        let mut out = Vec::with_capacity(field_len(len));
        put_header(&mut out, 1, len);
        put_bytes(&mut out, 1, &resource.0);
        for scope in &self.scopes {
            put_header(&mut out, 2, scope.len());
            put_bytes(&mut out, 1, &scope.message);
            out.extend_from_slice(&scope.records);
        }
        out
    }
}

impl Scope {
    /// How long the `ScopeLogs` message is.
    fn len(&self) -> usize {
        field_len(self.message.len()) + self.records.len()
    }
}
