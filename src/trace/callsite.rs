//! The callsites of entries and spans. Targets and names are set at run time, so the callsites are
//! made then.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use tracing::level_filters::{LevelFilter, STATIC_MAX_LEVEL};
use tracing::{Dispatch, Metadata};
use tracing_core::callsite;
use tracing_core::callsite::{Callsite, Identifier};
use tracing_core::field::FieldSet;
use tracing_core::metadata::Kind;
use tracing_core::subscriber::Interest;

use crate::callsite::{placeholder, SpanNames, ENTRY};
use crate::trace::logger::Level;

const DEFAULT_TARGET: &str = "spanlog::trace";

/// The callsites of one target, one for each level.
#[derive(Debug)]
pub(crate) struct Callsites {
    target: &'static str,
    of_level: [EntryCallsite; Level::ALL.len()],
}

impl Callsites {
    pub(crate) fn of_default_target() -> &'static Self {
        static DEFAULT: OnceLock<&'static Callsites> = OnceLock::new();
        DEFAULT.get_or_init(|| Self::leak(DEFAULT_TARGET))
    }

    /// The callsites of a target, made once and never freed. A program has few targets.
    pub(crate) fn of(target: Cow<'static, str>) -> &'static Self {
        static KNOWN: Mutex<Vec<&'static Callsites>> = Mutex::new(Vec::new());
        if target == DEFAULT_TARGET {
            return Self::of_default_target();
        }
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.iter().find(|known| known.target == target) {
            return known;
        }
        let target = match target {
            Cow::Borrowed(target) => target,
            Cow::Owned(target) => Box::leak(target.into_boxed_str()),
        };
        let callsites = Self::leak(target);
        known.push(callsites);
        callsites
    }

    fn leak(target: &'static str) -> &'static Self {
        let callsites: &'static Self =
            Box::leak(Box::new(Self { target, of_level: Level::ALL.map(|_| EntryCallsite::default()) }));
        for (level, callsite) in Level::ALL.into_iter().zip(&callsites.of_level) {
            let level = match level {
                Level::Debug => tracing::Level::DEBUG,
                Level::Info => tracing::Level::INFO,
                Level::Warn => tracing::Level::WARN,
                Level::Error | Level::Fatal => tracing::Level::ERROR,
            };
            callsite.metadata.get_or_init(|| {
                let fields = FieldSet::new(&["message"], Identifier(callsite));
                Metadata::new(ENTRY, target, level, None, None, None, fields, Kind::EVENT)
            });
        }
        callsites
    }

    pub(crate) fn at(&'static self, level: Level) -> &'static EntryCallsite {
        &self.of_level[level as usize]
    }
}

/// The callsite of one level of a target.
#[derive(Debug, Default)]
pub(crate) struct EntryCallsite {
    /// Set before the callsite is used.
    metadata: OnceLock<Metadata<'static>>,
    /// Whether the callsite is registered with `tracing`, and the interest in it.
    state: AtomicU8,
}

const UNKNOWN: u8 = 0;

const REGISTERING: u8 = 1;

const NEVER: u8 = 2;

const SOMETIMES: u8 = 3;

const ALWAYS: u8 = 4;

impl EntryCallsite {
    pub(crate) fn metadata(&'static self) -> &'static Metadata<'static> {
        self.metadata.get().unwrap_or_else(|| placeholder())
    }

    /// Whether any subscriber may want it. The first check of tracing's macros.
    pub(crate) fn may_be_enabled(&'static self) -> bool {
        let level = *self.metadata().level();
        level <= STATIC_MAX_LEVEL && level <= LevelFilter::current() && self.interest() != NEVER
    }

    /// Whether this subscriber wants it. The macros' second check.
    pub(crate) fn is_enabled(&'static self, dispatch: &Dispatch) -> bool {
        match self.interest() {
            NEVER => false,
            ALWAYS => true,
            _ => dispatch.enabled(self.metadata()),
        }
    }

    fn interest(&'static self) -> u8 {
        match self.state.load(Ordering::Acquire) {
            UNKNOWN => self.register(),
            known => known,
        }
    }

    /// Registers the callsite with `tracing`, which calls `set_interest` now, and whenever the
    /// interest changes.
    #[cold]
    fn register(&'static self) -> u8 {
        let first = self.state.compare_exchange(UNKNOWN, REGISTERING, Ordering::AcqRel, Ordering::Acquire);
        if first.is_ok() {
            callsite::register(self);
        }
        // If another thread registers it, or a layer logs during registration, the interest is not
        // known yet.
        self.state.load(Ordering::Acquire)
    }
}

impl Callsite for EntryCallsite {
    fn set_interest(&self, interest: Interest) {
        let state = match interest {
            _ if interest.is_never() => NEVER,
            _ if interest.is_always() => ALWAYS,
            _ => SOMETIMES,
        };
        self.state.store(state, Ordering::Release);
    }

    fn metadata(&self) -> &Metadata<'_> {
        self.metadata.get().unwrap_or_else(|| placeholder())
    }
}

/// The metadata of spans of this name, and whether the name is in it or must be in a field.
pub(crate) fn span_metadata(name: &str) -> (&'static Metadata<'static>, bool) {
    static NAMES: SpanNames = SpanNames::new(DEFAULT_TARGET);
    NAMES.metadata(name)
}
