//! What the environment says, by the specification's rules: empty is unset, and a value that cannot be used
//! is said once and ignored, unless ignoring it would send data elsewhere or nowhere.

use std::env;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_sdk::resource::{SdkProvidedResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::{logs, trace, Resource};

use crate::diagnostics::report_once;
use crate::Error;

/// The value of a variable that can be ignored.
pub(super) fn text(name: &str) -> Option<String> {
    demanded(name).unwrap_or_else(|error| {
        report_once(format_args!("{error}; it is ignored"));
        None
    })
}

/// The value of a variable that cannot.
pub(super) fn demanded(name: &str) -> Result<Option<String>, Error> {
    let Some(value) = env::var_os(name) else { return Ok(None) };
    match value.to_str().map(str::trim) {
        Some("") => Ok(None),
        Some(value) => Ok(Some(value.to_owned())),
        None => Err(Error::setting(name, &value.to_string_lossy(), "valid Unicode")),
    }
}

/// `OTEL_SDK_DISABLED`.
pub(super) fn is_disabled() -> bool {
    let name = "OTEL_SDK_DISABLED";
    let Some(value) = text(name) else { return false };
    if !value.eq_ignore_ascii_case("true") && !value.eq_ignore_ascii_case("false") {
        ignore(name, &value, "\"true\" or \"false\"");
    }
    value.eq_ignore_ascii_case("true")
}

/// Where a signal goes, of what `OTEL_LOGS_EXPORTER` and `OTEL_TRACES_EXPORTER` can say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Exporters {
    pub(super) otlp: bool,
    pub(super) console: bool,
}

/// The exporters that a variable asks for; `None`: it asks for nothing that there is.
pub(super) fn exporters(name: &str) -> Option<Exporters> {
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

/// A number of at least one. None of the SDK's numbers has a use for zero: an interval of nothing never rests.
fn number(name: &str) -> Option<u64> {
    let value = text(name)?;
    let number = value.parse().ok().filter(|number| *number > 0);
    if number.is_none() {
        ignore(name, &value, "a whole number above 0");
    }
    number
}

fn count(name: &str, default: usize) -> usize {
    number(name).and_then(|number| usize::try_from(number).ok()).unwrap_or(default)
}

fn millis(name: &str, default: u64) -> Duration {
    Duration::from_millis(number(name).unwrap_or(default))
}

/// The time that an export may take, of the first of `names` that says so.
pub(super) fn timeout(names: &[&str]) -> Duration {
    names.iter().find_map(|name| number(name)).map_or(Duration::from_secs(10), Duration::from_millis)
}

/// `OTEL_BLRP_*`.
pub(super) fn log_batches() -> logs::BatchConfig {
    logs::BatchConfigBuilder::default()
        .with_max_queue_size(count("OTEL_BLRP_MAX_QUEUE_SIZE", 2048))
        .with_max_export_batch_size(count("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", 512))
        .with_scheduled_delay(millis("OTEL_BLRP_SCHEDULE_DELAY", 1000))
        .build()
}

/// `OTEL_BSP_*`.
pub(super) fn span_batches() -> trace::BatchConfig {
    trace::BatchConfigBuilder::default()
        .with_max_queue_size(count("OTEL_BSP_MAX_QUEUE_SIZE", 2048))
        .with_max_export_batch_size(count("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512))
        .with_scheduled_delay(millis("OTEL_BSP_SCHEDULE_DELAY", 5000))
        .build()
}

/// Says what the SDK ignores in silence: the sampler, and the limits of spans.
pub(super) fn report_unusable_of_spans() {
    let name = "OTEL_TRACES_SAMPLER";
    let known = ["always_on", "always_off", "traceidratio"];
    if let Some(value) = text(name) {
        let plain = value.strip_prefix("parentbased_").unwrap_or(&value);
        if !known.contains(&plain) {
            ignore(name, &value, "one of always_on, always_off, traceidratio and their parentbased_ forms");
        } else if plain == "traceidratio" {
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

/// The resource: what the SDK knows, under `OTEL_RESOURCE_ATTRIBUTES`, under `OTEL_SERVICE_NAME`, under
/// what the builder was told.
pub(super) fn resource(service_name: Option<String>, attributes: Vec<KeyValue>) -> Resource {
    let resource = Resource::builder_empty()
        .with_detector(Box::new(SdkProvidedResourceDetector))
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_attributes(resource_attributes())
        .with_attributes(text("OTEL_SERVICE_NAME").map(|name| KeyValue::new("service.name", name)))
        .with_attributes(attributes);
    match service_name {
        Some(name) => resource.with_service_name(name).build(),
        None => resource.build(),
    }
}

/// The specification has the whole value discarded when a part of it cannot be read.
fn resource_attributes() -> Vec<KeyValue> {
    let name = "OTEL_RESOURCE_ATTRIBUTES";
    let Some(value) = text(name) else { return Vec::new() };
    match pairs(&value) {
        Ok(pairs) => pairs.into_iter().map(|(key, value)| KeyValue::new(key, value)).collect(),
        Err(_) => {
            ignore(name, &value, "a list of key=value with percent-encoded values");
            Vec::new()
        }
    }
}

/// Reads `key=value,key=value`. The error is the key of a pair that cannot be read, and never the
/// value: it may be a secret.
pub(super) fn pairs(list: &str) -> Result<Vec<(String, String)>, String> {
    list.split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
        .map(|pair| match pair.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                let key = key.trim().to_owned();
                match percent_decoded(value.trim()) {
                    Some(value) => Ok((key, value)),
                    None => Err(key),
                }
            }
            _ => Err(String::from("a part without a key")),
        })
        .collect()
}

fn percent_decoded(value: &str) -> Option<String> {
    let mut bytes = value.bytes();
    let mut decoded = Vec::with_capacity(value.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || bytes.next().and_then(|digit| char::from(digit).to_digit(16));
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

/// Says that a value cannot be used.
pub(super) fn ignore(name: &str, value: &str, wanted: &str) {
    report_once(format_args!("{}; it is ignored", Error::setting(name, value, wanted)));
}
