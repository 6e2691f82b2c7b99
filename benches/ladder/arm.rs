//! The arms: which programs are measured.

use crate::traces::BackEnd;

/// One measured program: its layers, what it does, where, and on how many threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arm {
    pub(crate) layers: Layers,
    pub(crate) what: What,
    /// Inside two spans with two fields each.
    pub(crate) in_span: bool,
    /// Inside a job with three stamps.
    pub(crate) in_job: bool,
    pub(crate) threads: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layers {
    /// No subscriber at all.
    Nothing,
    Registry,
    /// `SpanLayer` and `LogLayer` on the SDK path.
    Ours,
    /// `SpanLayer` and `LogLayer` on the direct path, to a pipeline that discards its requests.
    Direct,
    /// The same with a spool.
    Spooled,
    /// `SpanLayer` and the appender.
    Appender,
    /// The same, with span attributes.
    AppenderWithSpans,
    /// The same, and records are delivered: by the SDK's batch processor and opentelemetry-otlp,
    /// over HTTP to a sink in this process. The outer span has the stamps as fields, so records
    /// have as many attributes.
    Delivering,
    /// A global filter at INFO over the registry.
    Filter,
    /// A global filter at INFO, `SpanLayer` and `LogLayer`.
    FilterAndOurs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// An event at INFO with a message and this many fields.
    Event(usize),
    /// An event at DEBUG with a message and four fields.
    Debug,
    /// An op, started and ended, with two attributes.
    Op,
    /// A span with the attributes of the op, created and dropped.
    Span,
    /// The values of an event with four fields, formatted into a buffer of the thread. Threads that do
    /// this share nothing: what they lose to each other is the machine's.
    Alone,
    /// A span of `trace` with one log entry, ended with a result.
    Trace(BackEnd),
}

pub(crate) const FIELDS: [usize; 4] = [0, 3, 6, 12];

/// The arms of one ladder row. The others are compared with the last.
pub(crate) const ROW: [(Layers, bool); 8] = [
    (Layers::Nothing, false),
    (Layers::Registry, false),
    (Layers::Ours, false),
    (Layers::Ours, true),
    (Layers::Direct, false),
    (Layers::Direct, true),
    (Layers::Appender, false),
    (Layers::AppenderWithSpans, false),
];

/// The event that the targets use: four fields, inside two spans.
pub(crate) const TARGET: Arm =
    Arm { layers: Layers::AppenderWithSpans, what: What::Event(4), in_span: true, in_job: false, threads: 1 };

impl Arm {
    pub(crate) fn row(what: What, in_span: bool, threads: usize) -> Vec<Self> {
        ROW.map(|(layers, in_job)| Self { layers, what, in_span, in_job, threads }).to_vec()
    }

    /// The direct path and the appender delivering, both with stamps.
    pub(crate) fn delivering() -> Vec<Self> {
        [Layers::Direct, Layers::Delivering].map(|layers| Self { layers, in_job: true, ..TARGET }).to_vec()
    }

    /// The direct path with a spool, and without.
    pub(crate) fn spooled(in_job: bool) -> Vec<Self> {
        [Layers::Spooled, Layers::Direct].map(|layers| Self { layers, in_job, ..TARGET }).to_vec()
    }

    /// Two threads and one: of the direct path, and of threads that share nothing.
    pub(crate) fn two_threads() -> Vec<Self> {
        let direct = Self { layers: Layers::Direct, in_job: true, ..TARGET };
        let alone = Self { layers: Layers::Nothing, what: What::Alone, in_span: false, ..TARGET };
        [(direct, 2), (direct, 1), (alone, 2), (alone, 1)]
            .map(|(arm, threads)| Self { threads, ..arm })
            .to_vec()
    }

    pub(crate) fn disabled() -> Vec<Self> {
        [Layers::FilterAndOurs, Layers::Filter]
            .map(|layers| Self { layers, what: What::Debug, ..TARGET })
            .to_vec()
    }

    pub(crate) fn ops(in_job: bool) -> Vec<Self> {
        [What::Op, What::Span].map(|what| Self { layers: Layers::Ours, what, in_job, ..TARGET }).to_vec()
    }

    /// `trace` without and with telemetry. The others are compared with the last.
    pub(crate) fn traces() -> Vec<Self> {
        let arm = |layers, back| Self { layers, what: What::Trace(back), in_span: false, ..TARGET };
        vec![
            arm(Layers::Nothing, BackEnd::Nop),
            arm(Layers::Ours, BackEnd::Nop),
            arm(Layers::Ours, BackEnd::Otel),
            arm(Layers::Ours, BackEnd::Tracing),
        ]
    }

    pub(crate) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for fields in FIELDS.into_iter().chain([4]) {
            for in_span in [true, false] {
                for threads in [1, 2] {
                    all.extend(Self::row(What::Event(fields), in_span, threads));
                }
            }
        }
        all.extend(Self::two_threads());
        all.extend(Self::delivering());
        all.extend(Self::spooled(false));
        all.extend(Self::spooled(true));
        all.extend(Self::disabled());
        all.extend(Self::ops(false));
        all.extend(Self::ops(true));
        all.extend(Self::traces());
        all
    }

    /// The name of the arm on the command line.
    pub(crate) fn name(self) -> String {
        format!("{self:?}").replace(' ', "")
    }

    pub(crate) fn named(name: &str) -> Self {
        let known = Self::all().into_iter().find(|arm| arm.name() == name);
        known.unwrap_or_else(|| panic!("there is no arm {name}"))
    }

    /// How many records and spans a turn of `count` makes.
    pub(crate) fn makes(self, count: u64) -> u64 {
        match (self.layers, self.what) {
            (Layers::Nothing | Layers::Registry, _) | (_, What::Debug) => 0,
            // A span and a record.
            (_, What::Trace(BackEnd::Otel | BackEnd::Tracing)) => 2 * count * self.threads as u64,
            _ => count * self.threads as u64,
        }
    }

    /// Records are counted by a pipeline.
    pub(crate) fn is_direct(self) -> bool {
        matches!(self.layers, Layers::Direct | Layers::Spooled)
    }

    /// How many attributes a record of this arm has.
    pub(crate) fn attributes(self, fields: usize) -> usize {
        let inherited = if self.in_span && self.layers != Layers::Appender { 4 } else { 0 };
        let stamps = if self.in_job { 3 } else { 0 };
        fields + inherited + stamps
    }
}
