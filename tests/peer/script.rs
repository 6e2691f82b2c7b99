//! A script: a piece of a program that logs, played on either side.

use crate::fixture::Fixture;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spans {
    /// No span layer.
    None,
    /// tracing-opentelemetry's layer as it is.
    Plain,
    /// Our `SpanLayer` around it.
    Layer,
}

/// Which parent the script gives its events, by which ids are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parent {
    Contextual,
    /// A span of this name.
    Explicit(&'static str),
    Root,
}

pub(crate) struct Script {
    pub name: &'static str,
    pub spans: Spans,
    /// tracing-opentelemetry's context activation.
    pub activation: bool,
    pub sampled: bool,
    /// The peer's `with_tracing_span_attributes(TracingSpanAttributes::all())`.
    pub span_attributes: bool,
    pub parent: Parent,
    /// The keys of key-values that it gives to `log`'s macros.
    pub key_values: &'static [&'static str],
    pub run: Box<dyn Fn(&Fixture)>,
}

impl Script {
    /// The usual stack: a span layer with context activation, everything sampled, and a peer that
    /// copies span attributes as ours does.
    pub(crate) fn new(name: &'static str, run: impl Fn(&Fixture) + 'static) -> Self {
        Self {
            name,
            spans: Spans::Layer,
            activation: true,
            sampled: true,
            span_attributes: true,
            parent: Parent::Contextual,
            key_values: &[],
            run: Box::new(run),
        }
    }

    pub(crate) fn spans(self, spans: Spans) -> Self {
        Self { spans, ..self }
    }

    pub(crate) fn parent(self, parent: Parent) -> Self {
        Self { parent, ..self }
    }

    pub(crate) fn key_values(self, key_values: &'static [&'static str]) -> Self {
        Self { key_values, ..self }
    }

    pub(crate) fn without_activation(self) -> Self {
        Self { activation: false, ..self }
    }

    pub(crate) fn unsampled(self) -> Self {
        Self { sampled: false, ..self }
    }

    /// The peer as it is by default.
    pub(crate) fn without_span_attributes(self) -> Self {
        Self { span_attributes: false, ..self }
    }
}
