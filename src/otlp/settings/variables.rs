//! Reading environment variables, by the specification's rules: an empty one counts as unset, and
//! an invalid value is reported once and ignored, unless ignoring it would send data elsewhere or
//! nowhere.

use std::env;
use std::time::Duration;

use opentelemetry::{Key, KeyValue};
use opentelemetry_sdk::resource::{SdkProvidedResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::Resource;

use crate::diagnostics::report_once;
use crate::error::Error;

/// The value of a variable. If it is not Unicode, it is reported and ignored.
pub(crate) fn text(name: &str) -> Option<String> {
    try_text(name).unwrap_or_else(|error| {
        report_once(format_args!("{error}; it is ignored"));
        None
    })
}

/// The value of a variable that must not be ignored.
pub(crate) fn try_text(name: &str) -> Result<Option<String>, Error> {
    let Some(value) = env::var_os(name) else { return Ok(None) };
    match value.to_str().map(str::trim) {
        Some("") => Ok(None),
        Some(value) => Ok(Some(value.to_owned())),
        None => Err(Error::setting(name, &value.to_string_lossy(), "valid Unicode")),
    }
}

/// The value of a variable that may be a secret, and must not be ignored.
pub(crate) fn secret_text(name: &str) -> Result<Option<String>, Error> {
    try_text(name).map_err(|_| Error::setting(name, "not shown", "valid Unicode"))
}

/// A number above zero, which is of no use for any of these settings.
pub(crate) fn number(name: &str) -> Option<u64> {
    let value = text(name)?;
    let number = value.parse().ok().filter(|number| *number > 0);
    if number.is_none() {
        ignore(name, &value, "a whole number above 0");
    }
    number
}

/// A duration in milliseconds, above zero.
pub(crate) fn millis(name: &str) -> Option<Duration> {
    number(name).map(Duration::from_millis)
}

/// The resource: what was detected and what the SDK detects, `OTEL_RESOURCE_ATTRIBUTES`,
/// `OTEL_SERVICE_NAME`, `attributes` and `service_name`, each of which takes precedence over those
/// before.
pub(crate) fn resource(
    detected: Vec<KeyValue>,
    service_name: Option<String>,
    attributes: Vec<KeyValue>,
) -> Resource {
    let resource = Resource::builder_empty()
        .with_attributes(detected)
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

/// Whether somebody set `service.name`: the SDK's default begins with `unknown_service`.
pub(crate) fn has_service_name(resource: &Resource) -> bool {
    let name = resource.get(&Key::from_static_str("service.name"));
    name.is_some_and(|name| !name.as_str().is_empty() && !name.as_str().starts_with("unknown_service"))
}

/// `OTEL_RESOURCE_ATTRIBUTES`. By the specification, the whole value is discarded if a part of it
/// is invalid.
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

/// Parses `key=value,key=value`. The error is the key of an invalid pair, and never the value: it
/// may be a secret, as may a key without a value.
pub(crate) fn pairs(list: &str) -> Result<Vec<(String, String)>, String> {
    list.split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
        .map(|pair| match pair.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                let (key, value) = (key.trim(), value.trim());
                // Only padding: this is no pair, but a value in base64.
                let is_padding = !value.is_empty() && value.trim_matches('=').is_empty();
                let decoded = percent_decoded(value).filter(|_| !is_padding);
                let shown = || shown_key(key, value).to_owned();
                decoded.map(|value| (key.to_owned(), value)).ok_or_else(shown)
            }
            _ => Err(String::from("a part without a key")),
        })
        .collect()
}

/// The key of a pair, for an error. Before nothing but padding, it may be a secret in base64.
pub(crate) fn shown_key<'a>(key: &'a str, value: &str) -> &'a str {
    match value.trim_matches('=').is_empty() {
        true => "a part without a key",
        false => key,
    }
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

/// Reports that a value is invalid and ignored.
pub(crate) fn ignore(name: &str, value: &str, wanted: &str) {
    report_once(format_args!("{}; it is ignored", Error::setting(name, value, wanted)));
}
