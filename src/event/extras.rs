//! Attributes that a layer adds on request.

use std::cell::OnceCell;

use opentelemetry::Key;
use opentelemetry_semantic_conventions::attribute as semconv;
use tracing::Metadata;

use crate::keys;
use crate::value::Value;

/// The attributes that a layer adds on request, after the event's own.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extras {
    location: bool,
    threads: bool,
    /// The keys that may be written.
    pub(crate) keys: &'static [&'static str],
}

const ALL: [&str; 5] = [
    semconv::CODE_FILE_PATH,
    semconv::CODE_LINE_NUMBER,
    // The conventions replaced it with `code.function.name`, but a module is not a function.
    // tracing-opentelemetry uses it for spans, too.
    "code.module.name",
    semconv::THREAD_ID,
    semconv::THREAD_NAME,
];

impl Extras {
    pub(crate) fn with_location(self, location: bool) -> Self {
        Self::new(location, self.threads)
    }

    pub(crate) fn with_threads(self, threads: bool) -> Self {
        Self::new(self.location, threads)
    }

    fn new(location: bool, threads: bool) -> Self {
        const LOCATION: &[&str] = ALL.split_at(3).0;
        const THREADS: &[&str] = ALL.split_at(3).1;
        let keys = match (location, threads) {
            (false, false) => &[],
            (true, false) => LOCATION,
            (false, true) => THREADS,
            (true, true) => &ALL,
        };
        Self { location, threads, keys }
    }

    /// Passes the enabled attributes to `write`.
    pub(crate) fn write(&self, metadata: &Metadata<'_>, mut write: impl FnMut(Key, Value<'_>)) {
        if self.location {
            if let Some(file) = metadata.file() {
                write(keys::key(ALL[0]), Value::Str(file));
            }
            if let Some(line) = metadata.line() {
                write(keys::key(ALL[1]), Value::I64(line.into()));
            }
            if let Some(module) = metadata.module_path() {
                write(keys::key(ALL[2]), Value::Str(module));
            }
        }
        if self.threads {
            if let Some(id) = thread_id() {
                write(keys::key(ALL[3]), Value::I64(id));
            }
            if let Some(name) = std::thread::current().name() {
                write(keys::key(ALL[4]), Value::Str(name));
            }
        }
    }
}

/// The number of this thread. The standard library has it only in the `Debug` text of `ThreadId`,
/// so it is parsed once per thread.
fn thread_id() -> Option<i64> {
    thread_local! {
        static ID: OnceCell<Option<i64>> = const { OnceCell::new() };
    }
    ID.try_with(|id| {
        *id.get_or_init(|| {
            let text = format!("{:?}", std::thread::current().id());
            text.trim_start_matches("ThreadId(").trim_end_matches(')').parse().ok()
        })
    })
    .ok()
    .flatten()
}
