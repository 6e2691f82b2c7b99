//! The trace context in a child's environment.
//!
//! The names are those of the specification's [environment variable carriers][spec].
//!
//! [spec]: https://opentelemetry.io/docs/specs/otel/context/env-carriers/

use std::process::Command;

use opentelemetry::propagation::{Injector, TextMapPropagator};
use opentelemetry::Context;
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};

const TRACEPARENT: &str = "TRACEPARENT";

const TRACESTATE: &str = "TRACESTATE";

const BAGGAGE: &str = "BAGGAGE";

/// The W3C's limit of a baggage header, beyond which readers drop it. The system has a limit, too, and
/// beyond that the child would not start: telemetry must not be the reason.
const MAX_VALUE_BYTES: usize = 8192;

/// Tells the child of `command` that it works inside `cx`. What the command's own settings say of a
/// variable stays; what this process has inherited for itself goes.
pub(crate) fn inject(command: &mut Command, cx: &Context) {
    let mut variables = Variables::default();
    TraceContextPropagator::new().inject_context(cx, &mut variables);
    BaggagePropagator::new().inject_context(cx, &mut variables);
    let is_set = |name: &str| command.get_envs().any(|(key, _)| key == name);
    let is_parent_set = is_set(TRACEPARENT);
    let names = [
        (TRACEPARENT, is_parent_set, true),
        // It continues a `TRACEPARENT`, and says nothing about another one.
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

/// Where the propagators write to: environment variables are named in capitals.
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
        // A NUL cannot be in an environment: the child would not start.
        let fits = !value.is_empty() && value.len() <= MAX_VALUE_BYTES && !value.contains('\0');
        if fits {
            self.0.push((key.to_ascii_uppercase(), value));
        }
    }
}
