//! Environment variables that only `install` reads: exporters, sampler, limits and batches of the
//! SDK.

use std::time::Duration;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use opentelemetry_sdk::{logs, trace};

use crate::otlp::settings::variables::{self, ignore, number, text};

/// `OTEL_SDK_DISABLED`.
pub(crate) fn is_disabled() -> bool {
    let name = "OTEL_SDK_DISABLED";
    let Some(value) = text(name) else { return false };
    if !value.eq_ignore_ascii_case("true") && !value.eq_ignore_ascii_case("false") {
        ignore(name, &value, "\"true\" or \"false\"");
    }
    value.eq_ignore_ascii_case("true")
}

/// The value of `OTEL_LOGS_EXPORTER` or `OTEL_TRACES_EXPORTER`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Exporters {
    pub(crate) otlp: bool,
    pub(crate) console: bool,
}

/// The exporters that a variable names. `None` if it names none that is known.
pub(crate) fn exporters(name: &str) -> Option<Exporters> {
    let value = text(name)?;
    let mut asked = None;
    for word in value.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let before = asked.unwrap_or_default();
        match word {
            "otlp" => asked = Some(Exporters { otlp: true, ..before }),
            "console" => asked = Some(Exporters { console: true, ..before }),
            "none" => asked = Some(before),
            _ => ignore(name, word, "of \"otlp\", \"console\" and \"none\""),
        }
    }
    asked
}

/// A propagator for the global one to be composed of.
pub(crate) type Propagator = Box<dyn TextMapPropagator + Send + Sync>;

/// Those that `OTEL_PROPAGATORS` names, by default W3C trace context and baggage. Of the [known values] only
/// these are in the SDK; the others are
/// reported and ignored, and the default counts if there is nothing else.
///
/// [known values]: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#general-sdk-configuration
pub(crate) fn propagators() -> Vec<Propagator> {
    let name = "OTEL_PROPAGATORS";
    let value = text(name).unwrap_or_default();
    let (mut has_context, mut has_baggage, mut is_none) = (false, false, false);
    for word in value.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        match word {
            "tracecontext" => has_context = true,
            "baggage" => has_baggage = true,
            "none" => is_none = true,
            _ => ignore(
                name,
                word,
                "of \"tracecontext\", \"baggage\" and \"none\"; others are set with `with_propagator`",
            ),
        }
    }
    let is_default = !(has_context || has_baggage || is_none);
    let (has_context, has_baggage) = (has_context || is_default, has_baggage || is_default);
    let context = has_context.then(|| Box::new(TraceContextPropagator::new()) as Propagator);
    context.into_iter().chain(has_baggage.then(|| Box::new(BaggagePropagator::new()) as Propagator)).collect()
}

fn count(name: &str, default: usize) -> usize {
    number(name).and_then(|number| usize::try_from(number).ok()).unwrap_or(default)
}

fn millis(name: &str, default: u64) -> Duration {
    variables::millis(name).unwrap_or(Duration::from_millis(default))
}

/// `OTEL_BLRP_*`.
pub(crate) fn log_batches() -> logs::BatchConfig {
    logs::BatchConfigBuilder::default()
        .with_max_queue_size(count("OTEL_BLRP_MAX_QUEUE_SIZE", 2048))
        .with_max_export_batch_size(count("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", 512))
        .with_scheduled_delay(millis("OTEL_BLRP_SCHEDULE_DELAY", 1000))
        .build()
}

/// `OTEL_BSP_*`.
pub(crate) fn span_batches() -> trace::BatchConfig {
    trace::BatchConfigBuilder::default()
        .with_max_queue_size(count("OTEL_BSP_MAX_QUEUE_SIZE", 2048))
        .with_max_export_batch_size(count("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512))
        .with_scheduled_delay(millis("OTEL_BSP_SCHEDULE_DELAY", 5000))
        .build()
}

/// The sampler that the SDK makes of the variables.
pub(crate) fn sampler() -> String {
    let name = text("OTEL_TRACES_SAMPLER").filter(|name| is_sampler(name));
    let name = name.unwrap_or_else(|| "parentbased_always_on".to_owned());
    match text("OTEL_TRACES_SAMPLER_ARG").filter(|_| name.ends_with("traceidratio")) {
        Some(ratio) => format!("{name}({ratio})"),
        None => name,
    }
}

fn is_sampler(name: &str) -> bool {
    let plain = name.strip_prefix("parentbased_").unwrap_or(name);
    ["always_on", "always_off", "traceidratio"].contains(&plain)
}

/// Reports invalid values that the SDK ignores silently: of the sampler and of the span limits.
pub(crate) fn report_invalid_of_spans() {
    let name = "OTEL_TRACES_SAMPLER";
    if let Some(value) = text(name) {
        if !is_sampler(&value) {
            ignore(name, &value, "one of always_on, always_off, traceidratio and their parentbased_ forms");
        } else if value.ends_with("traceidratio") {
            let name = "OTEL_TRACES_SAMPLER_ARG";
            let value = text(name).unwrap_or_default();
            if !value.parse().is_ok_and(|ratio: f64| (0.0..=1.0).contains(&ratio)) {
                ignore(name, &value, "a number from 0 to 1");
            }
        }
    }
    for what in ["ATTRIBUTE_COUNT", "EVENT_COUNT", "LINK_COUNT"] {
        let name = format!("OTEL_SPAN_{what}_LIMIT");
        if let Some(value) = text(&name).filter(|value| value.parse::<u32>().is_err()) {
            ignore(&name, &value, "a number of at least 0");
        }
    }
}
