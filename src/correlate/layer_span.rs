//! What a record inherits: the stamps of its job and op, and the fields of its spans.
//!
//! They are collected when they change, not for each record: a log layer has a [`LayerSpan`] for
//! each span, which caches the [`InheritedAttributes`] that the span's records start with.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry::logs::AnyValue;
use opentelemetry::Key;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use crate::correlate::span_state::SpanState;
use crate::event::extras::Extras;
use crate::event::visitor::MAX_EXTRA;
use crate::job_scope::{JobScope, JobVersion};
use crate::keys;
use crate::keys::Keys;
use crate::limits::Limits;
use crate::record::inherited::{key_set, InheritedAttributes, Version};
use crate::record::EncodeInherited;
use crate::span_fields::SpanFields;

/// Identifies a layer in the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LayerId(NonZeroU64);

impl LayerId {
    pub(crate) fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(NonZeroU64::MIN.saturating_add(LAST.fetch_add(1, Ordering::Relaxed)))
    }
}

/// A log layer's settings for inherited attributes.
#[derive(Debug)]
pub(crate) struct InheritSettings {
    pub(crate) keys: Keys,
    pub(crate) fields: SpanFields,
    pub(crate) limits: Limits,
    /// Attributes that the layer writes after the event's own.
    pub(crate) extras: Extras,
    /// Encodes inherited attributes once, for records that can use that.
    pub(crate) encode: EncodeInherited,
}

/// One span, as seen by one log layer.
#[derive(Debug)]
pub(crate) struct LayerSpan {
    pub(crate) state: Arc<SpanState>,
    pub(crate) parent: Option<Arc<LayerSpan>>,
    /// The span's own fields that records inherit. Keys are unique.
    own: Mutex<Vec<(Key, AnyValue)>>,
    /// The attributes built last, for any job.
    inherited: Mutex<Option<Arc<InheritedAttributes>>>,
}

/// The span extension that holds its [`LayerSpan`]s, one for each log layer.
#[derive(Debug, Default)]
struct LayerSpans(Vec<(LayerId, Arc<LayerSpan>)>);

impl LayerSpan {
    /// Finds the [`LayerSpan`] of `span` for `layer`, or creates it and those of its ancestors.
    pub(crate) fn of<'a, R: LookupSpan<'a>>(
        span: &SpanRef<'a, R>,
        layer: LayerId,
        fields: &SpanFields,
    ) -> Arc<Self> {
        if let Some(layer_span) = Self::find(span, layer) {
            return layer_span;
        }
        let parent = span.parent().map(|parent| Self::of(&parent, layer, fields));
        let state = SpanState::find_or_unknown(span);
        let mut own = Vec::new();
        for (key, value) in state.fields.iter() {
            if fields.matches(key.as_str()) {
                put(&mut own, key.clone(), value.clone());
            }
        }
        let layer_span = Arc::new(Self { state, parent, own: Mutex::new(own), inherited: Mutex::default() });
        let mut extensions = span.extensions_mut();
        match extensions.get_mut::<LayerSpans>() {
            Some(layer_spans) => layer_spans.0.push((layer, layer_span.clone())),
            None => {
                extensions.replace(LayerSpans(vec![(layer, layer_span.clone())]));
            }
        }
        layer_span
    }

    /// The [`LayerSpan`]s of `span`, one for each log layer.
    pub(crate) fn all<'a, R: LookupSpan<'a>>(span: &SpanRef<'a, R>) -> Vec<(LayerId, Arc<Self>)> {
        span.extensions().get::<LayerSpans>().map(|layer_spans| layer_spans.0.clone()).unwrap_or_default()
    }

    pub(crate) fn find<'a, R: LookupSpan<'a>>(span: &SpanRef<'a, R>, layer: LayerId) -> Option<Arc<Self>> {
        let extensions = span.extensions();
        let layer_spans = extensions.get::<LayerSpans>()?;
        layer_spans.0.iter().find(|(known, _)| *known == layer).map(|(_, layer_span)| layer_span.clone())
    }

    /// Adds values of a `Span::record` call. They are formatted before this call, so that no user
    /// code runs under the lock.
    pub(crate) fn record(&self, fields: &SpanFields, recorded: Vec<(Key, AnyValue)>) {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in recorded {
            if fields.matches(key.as_str()) {
                put(&mut own, key, value);
            }
        }
        drop(own);
        self.state.changed();
    }

    /// The version of what records of this span inherit inside `job`.
    #[inline]
    pub(crate) fn version(&self, job: JobVersion) -> Version {
        Version { job, span: self.state.version() }
    }

    /// This span and its ancestors.
    fn chain(&self) -> impl Iterator<Item = &LayerSpan> {
        std::iter::successors(Some(self), |layer_span| layer_span.parent.as_deref())
    }

    /// What records of this span inherit inside `job`.
    pub(crate) fn inherited(
        &self,
        job: Option<&Arc<JobScope>>,
        inherit: &InheritSettings,
    ) -> Arc<InheritedAttributes> {
        let version = self.version(JobVersion::of(job));
        if let Some(inherited) = &*self.inherited.lock().unwrap_or_else(PoisonError::into_inner) {
            if inherited.version == version {
                return inherited.clone();
            }
        }
        let inherited = Arc::new(InheritedAttributes::build(Some(self), job, version, inherit));
        *self.inherited.lock().unwrap_or_else(PoisonError::into_inner) = Some(inherited.clone());
        inherited
    }
}

impl InheritedAttributes {
    /// What records outside any span inherit.
    pub(crate) fn without_span(job: Option<&Arc<JobScope>>, inherit: &InheritSettings) -> Self {
        let version = Version { job: JobVersion::of(job), ..Version::default() };
        Self::build(None, job, version, inherit)
    }

    fn build(
        layer_span: Option<&LayerSpan>,
        job: Option<&Arc<JobScope>>,
        version: Version,
        inherit: &InheritSettings,
    ) -> Self {
        // Stamps are never truncated: the ids of two jobs must not become one.
        let mut stamps = Vec::new();
        if let Some(job) = job {
            for (key, value) in job.record_stamps(&inherit.keys) {
                put(&mut stamps, key, value);
            }
        }
        let of_job = stamps.len();
        let chain: Vec<&LayerSpan> =
            layer_span.map(|layer_span| layer_span.chain().collect()).unwrap_or_default();
        // Tool and operation are both the innermost op's; they are never mixed from two ops.
        let op_at = chain.iter().position(|layer_span| layer_span.state.op.is_some());
        let op = op_at.and_then(|at| Some((chain[at], chain[at].state.op.as_ref()?)));
        if let Some((layer_span, op)) = op {
            let names = [(inherit.keys.tool(), &op.tool), (inherit.keys.operation(), &op.operation)];
            for (name, value) in names {
                // An attribute that the op's caller set takes precedence, even if fields are not
                // inherited.
                let own = layer_span.state.fields.iter().find(|(key, _)| key.as_str() == name);
                let own = own.map(|(_, value)| value.clone());
                let stamp = own.or_else(|| Some(AnyValue::String(value.clone()?.into())));
                if let Some(stamp) = stamp {
                    put(&mut stamps, keys::key(name), stamp);
                }
            }
        }
        // A span's field overrides a stamp only if the stamp applies to that span: the span was
        // created in that job, or it is the op or inside it. Spans further out are not about this
        // job or op.
        let may_override = |at: usize, stamp: usize| match stamp < of_job {
            true => chain[at].state.job().map(|own| own.id) == job.map(|job| job.id),
            false => op_at.is_some_and(|op_at| at <= op_at),
        };
        let limits = inherit.limits;
        let mut fields: Vec<(Key, AnyValue)> = Vec::new();
        let mut overridden = vec![false; stamps.len()];
        for (at, layer_span) in chain.iter().enumerate().rev() {
            let own = layer_span.own.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let added = layer_span.state.added();
            let added = added.into_iter().filter(|(key, _)| inherit.fields.matches(key.as_str()));
            for (key, value) in own.into_iter().chain(added) {
                if let Some(stamp) = stamps.iter().position(|(stamp, _)| *stamp == key) {
                    if !may_override(at, stamp) {
                        continue;
                    }
                    overridden[stamp] = true;
                }
                // The inner span's value wins, and takes the last place: when the count limit drops
                // fields, it drops the outermost first.
                fields.retain(|(known, _)| *known != key);
                fields.push((key, value));
            }
        }
        let mut overridden = overridden.into_iter();
        stamps.retain(|_| !overridden.next().unwrap_or(false));
        let count = stamps.len();
        let mut truncated = 0;
        let mut attributes = stamps;
        attributes.extend(fields.into_iter().map(|(key, value)| {
            truncated += usize::from(limits.would_truncate(&value));
            (key, limits.truncate(value))
        }));
        let others = attributes.len() + inherit.extras.keys.len() + MAX_EXTRA;
        let append_below = match truncated {
            0 => limits.attribute_count().saturating_add(1).saturating_sub(others),
            _ => 0,
        };
        // After a separator, so that the same key counts differently as an inherited and an extra
        // one.
        let extra_keys = ["\0"].into_iter().chain(inherit.extras.keys.iter().copied());
        Self {
            version,
            job: job.map_or(0, |job| job.account.id),
            extra_keys: inherit.extras.keys,
            key_set: key_set(attributes.iter().map(|(key, _)| key.as_str()).chain(extra_keys)),
            encoded: (inherit.encode)(&attributes),
            stamps: count,
            truncated,
            append_below,
            attributes,
        }
    }
}

/// Sets `key`, in the place that it has if it is present.
fn put(attributes: &mut Vec<(Key, AnyValue)>, key: Key, value: AnyValue) {
    match attributes.iter_mut().find(|(known, _)| *known == key) {
        Some(known) => known.1 = value,
        None => attributes.push((key, value)),
    }
}
