//! The messages of OTLP that are written as JSON: their fields' numbers, as in the `.proto` files
//! of opentelemetry-proto, and names.

/// A field of a message, under its name in JSON.
pub(crate) struct Field {
    pub(crate) number: usize,
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

/// What a field holds, as far as its form in JSON depends on it.
pub(crate) enum Kind {
    Text,
    /// A text that is written even if it is empty.
    Key,
    /// A `uint32`.
    Count,
    /// A number that may be negative.
    Enumeration,
    Fixed32,
    UnixNanos,
    /// Of a trace or a span.
    Id,
    /// An `AnyValue`.
    Value,
    Message(&'static [Field]),
    /// A repeated field of messages.
    List(&'static [Field]),
}

/// The largest field number below. Fields beyond it are skipped, as are all others that are not
/// listed.
pub(crate) const MAX_FIELD: usize = 16;

const fn field(number: usize, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind }
}

const ATTRIBUTES: &str = "attributes";

const DROPPED_ATTRIBUTES: &str = "droppedAttributesCount";

const SCHEMA_URL: &str = "schemaUrl";

pub(crate) const LOGS_REQUEST: &[Field] = &[field(1, "resourceLogs", Kind::List(RESOURCE_LOGS))];

const RESOURCE_LOGS: &[Field] = &[
    field(1, "resource", Kind::Message(RESOURCE)),
    field(2, "scopeLogs", Kind::List(SCOPE_LOGS)),
    field(3, SCHEMA_URL, Kind::Text),
];

const SCOPE_LOGS: &[Field] = &[
    field(1, "scope", Kind::Message(SCOPE)),
    field(2, "logRecords", Kind::List(LOG_RECORD)),
    field(3, SCHEMA_URL, Kind::Text),
];

const LOG_RECORD: &[Field] = &[
    field(1, "timeUnixNano", Kind::UnixNanos),
    field(11, "observedTimeUnixNano", Kind::UnixNanos),
    field(2, "severityNumber", Kind::Enumeration),
    field(3, "severityText", Kind::Text),
    field(5, "body", Kind::Value),
    field(6, ATTRIBUTES, Kind::List(KEY_VALUE)),
    field(7, DROPPED_ATTRIBUTES, Kind::Count),
    field(8, "flags", Kind::Fixed32),
    field(9, "traceId", Kind::Id),
    field(10, "spanId", Kind::Id),
    field(12, "eventName", Kind::Text),
];

pub(crate) const TRACE_REQUEST: &[Field] = {
    const RESOURCE_SPANS: &[Field] = &[
        field(1, "resource", Kind::Message(RESOURCE)),
        field(2, "scopeSpans", Kind::List(SCOPE_SPANS)),
        field(3, SCHEMA_URL, Kind::Text),
    ];
    const SCOPE_SPANS: &[Field] = &[
        field(1, "scope", Kind::Message(SCOPE)),
        field(2, "spans", Kind::List(SPAN)),
        field(3, SCHEMA_URL, Kind::Text),
    ];
    const SPAN: &[Field] = &[
        field(1, "traceId", Kind::Id),
        field(2, "spanId", Kind::Id),
        field(3, "traceState", Kind::Text),
        field(4, "parentSpanId", Kind::Id),
        field(16, "flags", Kind::Fixed32),
        field(5, "name", Kind::Text),
        field(6, "kind", Kind::Enumeration),
        field(7, "startTimeUnixNano", Kind::UnixNanos),
        field(8, "endTimeUnixNano", Kind::UnixNanos),
        field(9, ATTRIBUTES, Kind::List(KEY_VALUE)),
        field(10, DROPPED_ATTRIBUTES, Kind::Count),
        field(11, "events", Kind::List(EVENT)),
        field(12, "droppedEventsCount", Kind::Count),
        field(13, "links", Kind::List(LINK)),
        field(14, "droppedLinksCount", Kind::Count),
        field(15, "status", Kind::Message(STATUS)),
    ];
    const EVENT: &[Field] = &[
        field(1, "timeUnixNano", Kind::UnixNanos),
        field(2, "name", Kind::Text),
        field(3, ATTRIBUTES, Kind::List(KEY_VALUE)),
        field(4, DROPPED_ATTRIBUTES, Kind::Count),
    ];
    const LINK: &[Field] = &[
        field(1, "traceId", Kind::Id),
        field(2, "spanId", Kind::Id),
        field(3, "traceState", Kind::Text),
        field(4, ATTRIBUTES, Kind::List(KEY_VALUE)),
        field(5, DROPPED_ATTRIBUTES, Kind::Count),
        field(6, "flags", Kind::Fixed32),
    ];
    const STATUS: &[Field] = &[field(2, "message", Kind::Text), field(3, "code", Kind::Enumeration)];
    &[field(1, "resourceSpans", Kind::List(RESOURCE_SPANS))]
};

const RESOURCE: &[Field] =
    &[field(1, ATTRIBUTES, Kind::List(KEY_VALUE)), field(2, DROPPED_ATTRIBUTES, Kind::Count)];

const SCOPE: &[Field] = &[
    field(1, "name", Kind::Text),
    field(2, "version", Kind::Text),
    field(3, ATTRIBUTES, Kind::List(KEY_VALUE)),
    field(4, DROPPED_ATTRIBUTES, Kind::Count),
];

pub(crate) const KEY_VALUE: &[Field] = &[field(1, "key", Kind::Key), field(2, "value", Kind::Value)];
