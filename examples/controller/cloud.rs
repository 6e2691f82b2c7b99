//! The provider of the pods, with injected failures.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use spanlog::opentelemetry::Context;
use spanlog::trace;

use crate::{locked, Pod};

/// The provider. Each call to it is a span.
pub(crate) struct Cloud {
    pods: Mutex<BTreeMap<&'static str, u64>>,
    failures: Mutex<BTreeMap<(Call, &'static str), Failures>>,
}

/// The name of a call.
type Call = &'static str;

/// How often a call for a pod fails before it succeeds, and with which error.
type Failures = (u32, CloudError);

/// Why a call failed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CloudError {
    Quota,
    Conflict,
    InvalidImage,
    NotFound,
}

impl fmt::Display for CloudError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quota => "the quota is exhausted",
            Self::Conflict => "it was modified concurrently",
            Self::InvalidImage => "the image cannot be pulled",
            Self::NotFound => "there is no such pod",
        })
    }
}

impl Error for CloudError {}

impl CloudError {
    /// Whether a retry cannot succeed.
    pub(crate) fn is_final(self) -> bool {
        matches!(self, Self::InvalidImage)
    }
}

impl Cloud {
    pub(crate) fn new() -> Self {
        let failures = BTreeMap::from([
            (("create", "worker-0"), (2, CloudError::Quota)),
            (("update", "web-0"), (1, CloudError::Conflict)),
            (("create", "broken-0"), (1, CloudError::InvalidImage)),
            (("create", "stuck-0"), (u32::MAX, CloudError::Quota)),
        ]);
        Self { pods: Mutex::default(), failures: Mutex::new(failures) }
    }

    pub(crate) fn get(&self, cx: &Context, name: &'static str) -> Option<u64> {
        let (_, span) = trace::start_span(cx, "provider.get");
        let generation = locked(&self.pods).get(name).copied();
        span.end();
        generation
    }

    pub(crate) fn put(&self, cx: &Context, call: Call, pod: &Pod) -> Result<(), CloudError> {
        let (cx, span) = trace::start_span(cx, &format!("provider.{call}"));
        let result = self.call(&cx, call, pod.name).map(|()| {
            locked(&self.pods).insert(pod.name, pod.generation);
        });
        span.end_with(&result);
        result
    }

    pub(crate) fn delete(&self, cx: &Context, name: &'static str) -> Result<(), CloudError> {
        let (cx, span) = trace::start_span(cx, "provider.delete");
        let result = self
            .call(&cx, "delete", name)
            .and_then(|()| locked(&self.pods).remove(name).map(|_| ()).ok_or(CloudError::NotFound));
        span.end_with(&result);
        result
    }

    /// Takes some time, and fails as `failures` says.
    fn call(&self, cx: &Context, call: Call, name: &'static str) -> Result<(), CloudError> {
        trace::logger(cx).debug_fmt(format_args!("{call} {name}"));
        thread::sleep(Duration::from_millis(2));
        match locked(&self.failures).get_mut(&(call, name)) {
            Some((remaining, error)) if *remaining > 0 => {
                *remaining -= 1;
                Err(*error)
            }
            _ => Ok(()),
        }
    }
}
