//! Passes the trace context on in a child's environment.
//!
//! The names are those of the specification for [environment variable carriers][spec].
//!
//! [spec]: https://opentelemetry.io/docs/specs/otel/context/env-carriers/

use std::process::Command;

use opentelemetry::propagation::{Injector, TextMapPropagator};
use opentelemetry::Context;
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};

const TRACEPARENT: &str = "TRACEPARENT";

const TRACESTATE: &str = "TRACESTATE";

const BAGGAGE: &str = "BAGGAGE";

/// The W3C's limit for a baggage header: readers drop a longer one. It also stays below the
/// system's limit, beyond which the child would not start.
const MAX_VALUE_BYTES: usize = 8192;

/// Sets the variables that carry `cx`. A variable that was set on `command` is kept; one that this
/// process inherited is removed.
pub(crate) fn inject(command: &mut Command, cx: &Context) {
    let mut variables = Variables::default();
    TraceContextPropagator::new().inject_context(cx, &mut variables);
    BaggagePropagator::new().inject_context(cx, &mut variables);
    let is_set = |name: &str| command.get_envs().any(|(key, _)| key == name);
    let is_parent_set = is_set(TRACEPARENT);
    let names = [
        (TRACEPARENT, is_parent_set, true),
        // It belongs to the op's `TRACEPARENT`.
        (TRACESTATE, is_set(TRACESTATE), !is_parent_set),
        (BAGGAGE, is_set(BAGGAGE), true),
    ];
    for (name, is_set, is_wanted) in names {
        if is_set {
            continue;
        }
        match variables.take(name).filter(|_| is_wanted) {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
}

/// Collects what the propagators write, under names in capitals.
#[derive(Default)]
struct Variables(Vec<(String, String)>);

impl Variables {
    fn take(&mut self, name: &str) -> Option<String> {
        let index = self.0.iter().position(|(key, _)| key == name)?;
        Some(self.0.swap_remove(index).1)
    }
}

impl Injector for Variables {
    fn set(&mut self, key: &str, value: String) {
        // With a NUL in its environment the child would not start.
        let fits = !value.is_empty() && value.len() <= MAX_VALUE_BYTES && !value.contains('\0');
        if fits {
            self.0.push((key.to_ascii_uppercase(), value));
        }
    }
}
