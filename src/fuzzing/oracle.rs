//! OTLP's JSON as opentelemetry-proto's serde forms have it, with their deviations from OTLP
//! mended: what the transcoder of `otlp/json.rs` is compared with.

use serde::Serialize;
use serde_json::{json, Value};

/// The JSON of a request. A `doubleValue` that JSON has no number for is `null` in it.
pub(crate) fn json<M: Serialize>(request: &M) -> Value {
    let mut json = serde_json::to_value(request).expect("its maps have keys that are strings");
    mend(&mut json);
    // Parsed from text, as the transcoder's JSON is, so that equal doubles compare equal.
    serde_json::from_str(&json.to_string()).expect("serde_json wrote it")
}

/// Asserts that `line` is the JSON of `request`, except that a `null` of the oracle matches each
/// of the three doubles for which JSON has no number.
pub(crate) fn assert_same<M: Serialize>(line: &str, request: &M) {
    assert!(!line.contains('\n'), "{line}");
    let mut read = serde_json::from_str(line).expect("it is JSON");
    forget_infinities(&mut read);
    assert_eq!(read, json(request));
}

/// Leaves out members with their default value, and ids of zeros, which are OTLP's other way to say
/// that there is none. A variant of `AnyValue` is written even if it has its default value, and so
/// is a key.
fn mend(json: &mut Value) {
    each_child(json, mend);
    let Value::Object(members) = json else { return };
    members.retain(|name, value| {
        let is_id = ["traceId", "spanId", "parentSpanId"].contains(&name.as_str());
        let is_zero = |text: &str| text.bytes().all(|byte| byte == b'0');
        let is_default = match value {
            Value::Null => true,
            Value::Number(number) => number.as_i64() == Some(0),
            Value::Array(values) => values.is_empty(),
            Value::String(text) if is_id || name.ends_with("UnixNano") => is_zero(text),
            Value::String(text) => text.is_empty(),
            _ => false,
        };
        !is_default || name == "key" || name.ends_with("Value")
    });
}

fn forget_infinities(json: &mut Value) {
    each_child(json, forget_infinities);
    if let Some(double @ Value::String(_)) = json.get_mut("doubleValue") {
        assert!([json!("NaN"), json!("Infinity"), json!("-Infinity")].contains(double), "{double}");
        *double = Value::Null;
    }
}

fn each_child(json: &mut Value, visit: fn(&mut Value)) {
    match json {
        Value::Array(values) => values.iter_mut().for_each(visit),
        Value::Object(members) => members.values_mut().for_each(visit),
        _ => {}
    }
}
