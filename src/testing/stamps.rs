//! [`set_keys`]: the names under which captured records and spans carry their job.

use std::sync::OnceLock;

use opentelemetry::logs::AnyValue;

use crate::keys::Keys;

static KEYS: OnceLock<Keys> = OnceLock::new();

/// Sets the attribute names of job and tool metadata, for all captures of the process. Default:
/// [`Keys::default`].
///
/// Call it before [`capture`](super::capture()), in each test that needs it.
///
/// # Panics
///
/// If a test has captured with other keys.
#[track_caller]
pub fn set_keys(keys: Keys) {
    assert!(
        *KEYS.get_or_init(|| keys) == keys,
        "a test of this process captures with other keys: all captures have the same, so each test has to \
         set them before its capture"
    );
}

pub(crate) fn keys() -> Keys {
    *KEYS.get_or_init(Keys::default)
}

/// Whether this is the name of a stamp, whose value is never truncated.
pub(crate) fn is_stamp(key: &str) -> bool {
    let keys = keys();
    keys.job().contains(&key) || [keys.tool(), keys.operation()].contains(&key)
}

/// The job id among attributes.
pub(crate) fn job_id(attributes: &[(String, AnyValue)]) -> Option<&str> {
    text(attributes, keys().job_id())
}

/// The value of a key, if it is a string.
pub(crate) fn text<'a>(attributes: &'a [(String, AnyValue)], key: &str) -> Option<&'a str> {
    match find(attributes, key)? {
        AnyValue::String(text) => Some(text.as_str()),
        _ => None,
    }
}

/// The value of a key.
pub(crate) fn find<'a>(attributes: &'a [(String, AnyValue)], key: &str) -> Option<&'a AnyValue> {
    attributes.iter().find(|(known, _)| known == key).map(|(_, value)| value)
}
