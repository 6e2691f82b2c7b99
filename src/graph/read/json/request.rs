//! An OTLP request, read piece by piece down to its spans and records, or a row of a table.

use serde::de::{DeserializeOwned, MapAccess, SeqAccess};

use super::item::{LogRecord, Resource, Scope, Span};
use super::row::Row;
use crate::graph::read::notes::Cause;
use crate::graph::read::store::{Mark, Store};
use crate::json_stream::{Fill, Stream};

pub(super) struct Request<'a> {
    pub(super) store: &'a mut Store,
    /// File and line of the request.
    pub(super) place: String,
    /// Whether it has a member that only OTLP has, or is a row.
    pub(super) is_otlp: bool,
    pub(super) row: Row,
}

impl Stream for Request<'_> {
    const EXPECTED: &'static str = "an object";

    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "resourceSpans" | "resource_spans" | "resourceLogs" | "resource_logs" => {
                self.is_otlp = true;
                let mark = self.store.mark();
                let mut resource = OfResource { request: self, mark, service: None };
                map.next_value_seed(Fill(&mut resource)).map(|()| true)
            }
            "resourceMetrics" | "resource_metrics" | "resourceProfiles" | "resource_profiles" => {
                self.is_otlp = true;
                self.store.notes.add(Cause::OtherSignal, || {
                    format!("{}: {name} were skipped: they are not part of a graph", self.place)
                });
                Ok(false)
            }
            name => self.row.column(name, map),
        }
    }

    fn end(&mut self) {
        self.is_otlp |= self.row.add_to(&self.place, self.store);
    }
}

/// The elements of `resourceSpans` or `resourceLogs`. Members come in any order, so what was read
/// of an element gets the service at its end.
struct OfResource<'a, 'r> {
    request: &'a mut Request<'r>,
    mark: Mark,
    service: Option<String>,
}

impl Stream for OfResource<'_, '_> {
    const EXPECTED: &'static str = "a list of objects";

    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "resource" => {
                self.service = map.next_value::<Option<Resource>>()?.and_then(Resource::service);
            }
            "scopeSpans" | "scope_spans" | "scopeLogs" | "scope_logs" => {
                let mark = self.request.store.mark();
                let mut scope = OfScope { request: self.request, mark, target: String::new() };
                map.next_value_seed(Fill(&mut scope))?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn end(&mut self) {
        if let Some(service) = self.service.take() {
            self.request.store.set_service(self.mark, &service);
        }
        self.mark = self.request.store.mark();
    }
}

/// The elements of `scopeSpans` or `scopeLogs`. The records of an element get their target at its
/// end.
struct OfScope<'a, 'r> {
    request: &'a mut Request<'r>,
    mark: Mark,
    target: String,
}

impl Stream for OfScope<'_, '_> {
    const EXPECTED: &'static str = "a list of objects";

    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "scope" => self.target = map.next_value::<Option<Scope>>()?.unwrap_or_default().name.0,
            "spans" => {
                map.next_value_seed(Fill(&mut Items { request: self.request, add: Span::add_to }))?;
            }
            "logRecords" | "log_records" => {
                map.next_value_seed(Fill(&mut Items { request: self.request, add: LogRecord::add_to }))?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn end(&mut self) {
        if !self.target.is_empty() {
            self.request.store.set_target(self.mark, &self.target);
        }
        self.target.clear();
        self.mark = self.request.store.mark();
    }
}

/// A list of spans or records, each of which is in memory as a whole.
struct Items<'a, 'r, T> {
    request: &'a mut Request<'r>,
    add: fn(T, &str, &mut Store),
}

impl<T: DeserializeOwned> Stream for Items<'_, '_, T> {
    const EXPECTED: &'static str = "a list of objects";

    fn element<'de, A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<bool, A::Error> {
        let element = list.next_element::<Option<T>>()?;
        let is_there = element.is_some();
        if let Some(item) = element.flatten() {
            (self.add)(item, &self.request.place, self.request.store);
        }
        Ok(is_there)
    }
}
