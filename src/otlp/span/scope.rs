//! The scopes of spans, encoded once for each.
//!
//! The key of a scope is the encoded fields of `ScopeSpans` other than its spans: `scope`, and
//! `schema_url` if there is one.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::OnceLock;

use opentelemetry::InstrumentationScope;

use crate::forked::ForkedMutex;
use crate::otlp::queue::chunk::ScopeKey;
use crate::otlp::span::{put_attributes, put_nested};
use crate::wire::put::put_bytes;
use crate::wire::read::Fields;

/// How many scopes are kept for the life of the program. A program has a few.
const MAX_KEPT: usize = 512;

thread_local! {
    /// The scope of this thread's last span.
    static LAST: RefCell<Option<(InstrumentationScope, &'static [u8])>> = const { RefCell::new(None) };
}

/// Passes the key of `scope` to `read`.
pub(crate) fn with_key<T>(scope: &InstrumentationScope, read: impl FnOnce(ScopeKey<'_>) -> T) -> T {
    let cached = |last: &RefCell<Option<(InstrumentationScope, &'static [u8])>>| {
        last.borrow().as_ref().filter(|(known, _)| known == scope).map(|(_, key)| *key)
    };
    if let Ok(Some(key)) = LAST.try_with(cached) {
        return read(ScopeKey::Static(key));
    }
    match keep(scope) {
        Some(key) => {
            let _ = LAST.try_with(|last| last.replace(Some((scope.clone(), key))));
            read(ScopeKey::Static(key))
        }
        None => read(ScopeKey::Borrowed(&encode(scope, scope.name()))),
    }
}

/// The key of a scope, kept for the life of the program. `None` beyond [`MAX_KEPT`], or in a forked child
/// whose parent held the lock.
fn keep(scope: &InstrumentationScope) -> Option<&'static [u8]> {
    static KEPT: OnceLock<ForkedMutex<HashMap<InstrumentationScope, &'static [u8]>>> = OnceLock::new();
    let mut kept = KEPT.get_or_init(ForkedMutex::default).lock()?;
    if let Some(key) = kept.get(scope) {
        return Some(key);
    }
    if kept.len() >= MAX_KEPT {
        return None;
    }
    let key: &'static [u8] = Box::leak(encode(scope, scope.name()).into_boxed_slice());
    kept.insert(scope.clone(), key);
    Some(key)
}

/// The key of a scope under a name.
pub(crate) fn encode(scope: &InstrumentationScope, name: &str) -> Vec<u8> {
    let mut key = Vec::new();
    put_nested(&mut key, 1, |out| {
        for (field, text) in [(1, name), (2, scope.version().unwrap_or_default())] {
            if !text.is_empty() {
                put_bytes(out, field, text.as_bytes());
            }
        }
        put_attributes(out, 3, scope.attributes());
    });
    if let Some(url) = scope.schema_url().filter(|url| !url.is_empty()) {
        put_bytes(&mut key, 3, url.as_bytes());
    }
    key
}

/// The two fields of a key: what comes before the spans, and what comes after them.
pub(crate) fn split(key: &[u8]) -> (&[u8], &[u8]) {
    let mut fields = Fields::of(key);
    // A key always begins with the scope.
    let _ = fields.next();
    key.split_at(key.len() - fields.rest().len())
}
