//! Contract §5: which fields are where, against a naive oracle.

use std::collections::BTreeMap;
use std::sync::Arc;

use opentelemetry::logs::AnyValue;
use opentelemetry::Context;
use proptest::collection::vec;
use proptest::prelude::*;
use spanlog::trace::{self, Logger, Span};

use super::trace::Back;
use crate::fixture::{Fixture, USUAL};

const KEYS: [&str; 4] = ["a", "b", "c", "d"];

/// A step. Numbers select among what exists by then.
#[derive(Clone, Debug)]
enum Step {
    StartSpan { from: usize },
    WithField { span: usize, cx: usize, key: usize },
    WithFields { span: usize, cx: usize, keys: Vec<usize> },
    TakeField { span: usize, cx: usize, key: usize },
    LoggerOfContext { cx: usize },
    LoggerOfSpan { span: usize },
    LoggerWithField { logger: usize, key: usize },
    LoggerWithFields { logger: usize, keys: Vec<usize> },
    IntoContext { cx: usize, logger: usize },
    Log { logger: usize },
    End { span: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let any = || 0..64_usize;
    let key = || 0..KEYS.len();
    prop_oneof![
        any().prop_map(|from| Step::StartSpan { from }),
        (any(), any(), key()).prop_map(|(span, cx, key)| Step::WithField { span, cx, key }),
        (any(), any(), vec(key(), 0..4)).prop_map(|(span, cx, keys)| Step::WithFields { span, cx, keys }),
        (any(), any(), key()).prop_map(|(span, cx, key)| Step::TakeField { span, cx, key }),
        any().prop_map(|cx| Step::LoggerOfContext { cx }),
        any().prop_map(|span| Step::LoggerOfSpan { span }),
        (any(), key()).prop_map(|(logger, key)| Step::LoggerWithField { logger, key }),
        (any(), vec(key(), 0..4)).prop_map(|(logger, keys)| Step::LoggerWithFields { logger, keys }),
        (any(), any()).prop_map(|(cx, logger)| Step::IntoContext { cx, logger }),
        any().prop_map(|logger| Step::Log { logger }),
        any().prop_map(|span| Step::End { span }),
    ]
}

type Map = BTreeMap<&'static str, i64>;

/// The oracle's logger: its fields, and the span that it belongs to.
#[derive(Clone, Debug, Default)]
struct Lines {
    fields: Map,
    span: Option<usize>,
}

/// The oracle's span.
#[derive(Debug, Default)]
struct Known {
    fields: Map,
    events: Vec<(String, Map)>,
    is_ended: bool,
}

#[derive(Default)]
struct Oracle {
    spans: Vec<Known>,
    loggers: Vec<Lines>,
    contexts: Vec<Lines>,
    /// Each span's own logger.
    of_spans: Vec<Lines>,
    /// Body, fields and span of every record.
    said: Vec<(String, Map, Option<usize>)>,
}

#[derive(Default)]
struct Real {
    spans: Vec<Arc<dyn Span>>,
    loggers: Vec<Arc<dyn Logger>>,
    contexts: Vec<Context>,
    ids: Vec<opentelemetry::trace::SpanContext>,
}

/// A new value each time, so that none is mistaken for another.
struct Values(i64);

impl Values {
    fn of(&mut self, keys: &[usize]) -> Vec<(&'static str, i64)> {
        keys.iter()
            .map(|key| {
                self.0 += 1;
                (KEYS[*key], self.0)
            })
            .collect()
    }
}

fn play(fixture: &Fixture, top: Context, steps: &[Step]) {
    use opentelemetry::trace::TraceContextExt;
    let mut oracle = Oracle { contexts: vec![Lines::default()], ..Oracle::default() };
    let mut real = Real { contexts: vec![top], ..Real::default() };
    let mut values = Values(0);
    for (number, step) in steps.iter().enumerate() {
        match step {
            Step::StartSpan { from } => {
                let from = from % real.contexts.len();
                let (cx, span) =
                    trace::start_span(&real.contexts[from], &format!("span {}", real.spans.len()));
                real.ids.push(cx.span().span_context().clone());
                real.contexts.push(cx);
                real.spans.push(span);
                let lines =
                    Lines { fields: oracle.contexts[from].fields.clone(), span: Some(oracle.spans.len()) };
                oracle.contexts.push(lines.clone());
                oracle.of_spans.push(lines);
                oracle.spans.push(Known::default());
            }
            Step::WithField { span, cx, .. }
            | Step::WithFields { span, cx, .. }
            | Step::TakeField { span, cx, .. } => {
                let Some(span) = span.checked_rem(real.spans.len()) else { continue };
                let cx = cx % real.contexts.len();
                let handle = &real.spans[span];
                let mut changed: Vec<(&str, Option<i64>)> = Vec::new();
                let made = match step {
                    Step::WithField { key, .. } => {
                        let (key, value) = values.of(&[*key])[0];
                        changed.push((key, Some(value)));
                        handle.with_field(&real.contexts[cx], key, value)
                    }
                    Step::WithFields { keys, .. } => {
                        let fields = values.of(keys);
                        changed.extend(fields.iter().map(|(key, value)| (*key, Some(*value))));
                        handle.with_fields(&real.contexts[cx], fields)
                    }
                    Step::TakeField { key, .. } => {
                        changed.push((KEYS[*key], None));
                        handle.with_field(&real.contexts[cx], KEYS[*key], None::<i64>)
                    }
                    _ => unreachable!("the three that are matched"),
                };
                real.contexts.push(made);
                let known = &mut oracle.spans[span];
                if !known.is_ended {
                    change(&mut known.fields, &changed);
                }
                // A context that names no logger gets the span's.
                let mut lines = match oracle.contexts[cx].span {
                    None if cx_has_no_logger(&oracle.contexts[cx]) => oracle.of_spans[span].clone(),
                    _ => oracle.contexts[cx].clone(),
                };
                change(&mut lines.fields, &changed);
                oracle.contexts.push(lines);
            }
            Step::LoggerOfContext { cx } => {
                let cx = cx % real.contexts.len();
                real.loggers.push(trace::logger(&real.contexts[cx]));
                oracle.loggers.push(oracle.contexts[cx].clone());
            }
            Step::LoggerOfSpan { span } => {
                let Some(span) = span.checked_rem(real.spans.len()) else { continue };
                real.loggers.push(real.spans[span].logger());
                oracle.loggers.push(oracle.of_spans[span].clone());
            }
            Step::LoggerWithField { logger, .. } | Step::LoggerWithFields { logger, .. } => {
                let Some(logger) = logger.checked_rem(real.loggers.len()) else { continue };
                let keys = match step {
                    Step::LoggerWithField { key, .. } => vec![*key],
                    Step::LoggerWithFields { keys, .. } => keys.clone(),
                    _ => unreachable!("the two that are matched"),
                };
                let fields = values.of(&keys);
                real.loggers.push(match step {
                    Step::LoggerWithField { .. } => real.loggers[logger].with_field(fields[0].0, fields[0].1),
                    _ => real.loggers[logger].with_fields(fields.clone()),
                });
                let mut lines = oracle.loggers[logger].clone();
                lines.fields.extend(fields);
                oracle.loggers.push(lines);
            }
            Step::IntoContext { cx, logger } => {
                // Only a logger with a span or fields: the oracle tells by them that a context
                // names one.
                let Some(logger) = logger.checked_rem(real.loggers.len()) else { continue };
                if cx_has_no_logger(&oracle.loggers[logger]) {
                    continue;
                }
                let cx = cx % real.contexts.len();
                real.contexts.push(trace::with_logger(&real.contexts[cx], real.loggers[logger].clone()));
                oracle.contexts.push(oracle.loggers[logger].clone());
            }
            Step::Log { logger } => {
                let Some(logger) = logger.checked_rem(real.loggers.len()) else { continue };
                let body = format!("line {number}");
                real.loggers[logger].info(&body);
                let Lines { fields, span } = oracle.loggers[logger].clone();
                if let Some(known) = span.map(|span| &mut oracle.spans[span]).filter(|known| !known.is_ended)
                {
                    known.events.push((body.clone(), fields.clone()));
                }
                oracle.said.push((body, fields, span));
            }
            Step::End { span } => {
                let Some(span) = span.checked_rem(real.spans.len()) else { continue };
                real.spans[span].end();
                oracle.spans[span].is_ended = true;
            }
        }
    }
    real.spans.iter().for_each(|span| span.end());
    compare(fixture, &oracle, &real);
}

fn cx_has_no_logger(lines: &Lines) -> bool {
    lines.span.is_none() && lines.fields.is_empty()
}

fn change(fields: &mut Map, changed: &[(&'static str, Option<i64>)]) {
    for (key, value) in changed {
        match value {
            Some(value) => fields.insert(key, *value),
            None => fields.remove(key),
        };
    }
}

fn compare(fixture: &Fixture, oracle: &Oracle, real: &Real) {
    assert_eq!(fixture.records().len(), oracle.said.len());
    let named = |fields: &Map| -> BTreeMap<String, String> {
        fields.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    };
    let own = |attributes: &[opentelemetry::KeyValue]| -> BTreeMap<String, String> {
        let own = attributes.iter().filter(|own| KEYS.contains(&own.key.as_str()));
        let mut map = BTreeMap::new();
        for attribute in own {
            let twice = map.insert(attribute.key.to_string(), attribute.value.to_string());
            assert_eq!(twice, None, "{attributes:?}");
        }
        map
    };
    for (body, fields, span) in &oracle.said {
        let record = fixture.record(body);
        let ids = span.map(|span| (real.ids[span].trace_id(), real.ids[span].span_id()));
        assert_eq!(record.ids, ids, "{body}");
        assert_eq!(record.keys().len(), fields.len(), "{body}: {record:?} {fields:?}");
        for (key, value) in fields {
            assert_eq!(record.get(key), Some(&AnyValue::Int(*value)), "{body} {key}");
        }
    }
    for (index, known) in oracle.spans.iter().enumerate() {
        let span = fixture.span(&format!("span {index}"));
        assert_eq!(own(&span.attributes), named(&known.fields), "span {index}");
        let events: Vec<_> =
            span.events.iter().map(|event| (event.name.to_string(), own(&event.attributes))).collect();
        let expected: Vec<_> =
            known.events.iter().map(|(body, fields)| (body.clone(), named(fields))).collect();
        assert_eq!(events, expected, "span {index}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Scenario: any sequence of spans started from any context, fields set on any of them with any
    /// context, loggers derived from whatever there is, and entries through all of them.
    ///
    /// Guarantees: spans, events and records have the fields that a map for each of them would
    /// have.
    #[test]
    fn fields_are_where_a_naive_oracle_has_them(steps in vec(step(), 1..40), of_tracing: bool) {
        let fixture = USUAL.build();
        fixture.run(|| {
            let back = if of_tracing { Back::Tracing } else { Back::Otel };
            play(&fixture, back.with_tracer(&Context::new(), &fixture), &steps);
        });
    }
}
