//! Where the pods are: a provider that has a bad day.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use spanlog::opentelemetry::Context;
use spanlog::trace;

use crate::{locked, Pod};

/// The provider. Every call of it is a span.
pub(crate) struct Cloud {
    pods: Mutex<BTreeMap<&'static str, u64>>,
    failures: Mutex<BTreeMap<(Call, &'static str), Failures>>,
}

/// The name of a call.
type Call = &'static str;

/// How often a call for a pod fails before it succeeds, and how.
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
            Self::Quota => "the quota is used up",
            Self::Conflict => "somebody else changed it meanwhile",
            Self::InvalidImage => "the image cannot be pulled",
            Self::NotFound => "there is no such pod",
        })
    }
}

impl Error for CloudError {}

impl CloudError {
    /// Whether trying again would not help.
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

    /// Takes its time, and fails where it is to fail.
    fn call(&self, cx: &Context, call: Call, name: &'static str) -> Result<(), CloudError> {
        trace::logger(cx).debug_fmt(format_args!("{call} {name}"));
        thread::sleep(Duration::from_millis(2));
        match locked(&self.failures).get_mut(&(call, name)) {
            Some((left, error)) if *left > 0 => {
                *left -= 1;
                Err(*error)
            }
            _ => Ok(()),
        }
    }
}
