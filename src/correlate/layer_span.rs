//! What a record inherits: the stamps of its job and op, and the fields of its spans.
//!
//! It is put together when it changes, not when a record is made: each span of a log layer has a
//! [`Node`], and what the records of a node start with is one ready [`Block`].

use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry::logs::AnyValue;
use opentelemetry::Key;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use crate::correlate::span_state::SpanState;
use crate::job_scope::{JobScope, JobVersion};
use crate::keys;
use crate::keys::Keys;
use crate::limits::Limits;
use crate::record::inherited::{key_set, Block, Version};
use crate::record::Prepare;
use crate::span_fields::SpanFields;

/// What a layer puts into its blocks.
#[derive(Debug)]
pub(crate) struct Inheriting {
    pub(crate) keys: Keys,
    pub(crate) fields: SpanFields,
    pub(crate) limits: Limits,
    /// Encodes the attributes of a block once, for records that can use that.
    pub(crate) prepare: Prepare,
}

/// One span, as one log layer sees it.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) state: Arc<SpanState>,
    pub(crate) parent: Option<Arc<Node>>,
    /// The span's own inherited fields. Each key once.
    own: Mutex<Vec<(Key, AnyValue)>>,
    block: Mutex<Option<Arc<Block>>>,
}

/// The extension: the nodes of a span, by the layer's owner number.
#[derive(Debug, Default)]
struct Nodes(Vec<(u64, Arc<Node>)>);

impl Node {
    /// The node of `span` for the layer `owner`, made where it is missing, with those of its ancestors.
    pub(crate) fn of<'a, R: LookupSpan<'a>>(
        span: &SpanRef<'a, R>,
        owner: u64,
        fields: &SpanFields,
    ) -> Arc<Self> {
        if let Some(node) = Self::find(span, owner) {
            return node;
        }
        let parent = span.parent().map(|parent| Self::of(&parent, owner, fields));
        let state = SpanState::find_or_unknown(span);
        let mut own = Vec::new();
        for (key, value) in state.fields.iter() {
            if fields.matches(key.as_str()) {
                put(&mut own, key.clone(), value.clone());
            }
        }
        let node = Arc::new(Self { state, parent, own: Mutex::new(own), block: Mutex::default() });
        let mut extensions = span.extensions_mut();
        match extensions.get_mut::<Nodes>() {
            Some(nodes) => nodes.0.push((owner, node.clone())),
            None => {
                extensions.replace(Nodes(vec![(owner, node.clone())]));
            }
        }
        node
    }

    pub(crate) fn find<'a, R: LookupSpan<'a>>(span: &SpanRef<'a, R>, owner: u64) -> Option<Arc<Self>> {
        let extensions = span.extensions();
        let nodes = extensions.get::<Nodes>()?;
        nodes.0.iter().find(|(known, _)| *known == owner).map(|(_, node)| node.clone())
    }

    /// Takes over values that `Span::record` gave later. They were formatted before this call: the
    /// lock is held for the copy only.
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

    /// What tells a current block from an outdated one.
    #[inline]
    pub(crate) fn version(&self, job: JobVersion) -> Version {
        Version { job, span: self.state.version() }
    }

    fn chain(&self) -> impl Iterator<Item = &Node> {
        std::iter::successors(Some(self), |node| node.parent.as_deref())
    }

    /// The current block of this node for events of `job`.
    pub(crate) fn block(&self, job: Option<&Arc<JobScope>>, inheriting: &Inheriting) -> Arc<Block> {
        let version = self.version(JobVersion::of(job));
        if let Some(block) = &*self.block.lock().unwrap_or_else(PoisonError::into_inner) {
            if block.version == version {
                return block.clone();
            }
        }
        let block = Arc::new(Block::build(Some(self), job, version, inheriting));
        *self.block.lock().unwrap_or_else(PoisonError::into_inner) = Some(block.clone());
        block
    }
}

impl Block {
    /// The block of events that belong to no span.
    pub(crate) fn without_span(job: Option<&Arc<JobScope>>, inheriting: &Inheriting) -> Self {
        let version = Version { job: JobVersion::of(job), ..Version::default() };
        Self::build(None, job, version, inheriting)
    }

    fn build(
        node: Option<&Node>,
        job: Option<&Arc<JobScope>>,
        version: Version,
        inheriting: &Inheriting,
    ) -> Self {
        let mut stamps = Vec::new();
        if let Some(job) = job {
            for (key, value) in job.record_stamps(&inheriting.keys) {
                put(&mut stamps, key, inheriting.limits.cut(value));
            }
        }
        let of_job = stamps.len();
        let chain: Vec<&Node> = node.map(|node| node.chain().collect()).unwrap_or_default();
        // The innermost op is the one that counts, the whole of it.
        let op_at = chain.iter().position(|node| node.state.op.is_some());
        let op = op_at.and_then(|at| Some((chain[at], chain[at].state.op.as_ref()?)));
        if let Some((node, op)) = op {
            let names = [(inheriting.keys.tool(), &op.tool), (inheriting.keys.operation(), &op.operation)];
            for (name, value) in names {
                // What the caller of the op says wins, whether or not fields are inherited.
                let own = node.state.fields.iter().find(|(key, _)| key.as_str() == name);
                let own = own.map(|(_, value)| value.clone());
                let stamp = own.or_else(|| Some(AnyValue::String(value.clone()?.into())));
                if let Some(stamp) = stamp {
                    put(&mut stamps, keys::key(name), inheriting.limits.cut(stamp));
                }
            }
        }
        // A span may say otherwise than a stamp if it is one of those that are stamped: it was made in
        // that job, or it is the op or inside it. What is further out knows nothing of them.
        let may_override = |at: usize, stamp: usize| match stamp < of_job {
            true => chain[at].state.job().map(|own| own.id) == job.map(|job| job.id),
            false => op_at.is_some_and(|op_at| at <= op_at),
        };
        let mut fields: Vec<(Key, AnyValue)> = Vec::new();
        let mut overridden = vec![false; stamps.len()];
        for (at, node) in chain.iter().enumerate().rev() {
            let own = node.own.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let added = node.state.added();
            let added = added.into_iter().filter(|(key, _)| inheriting.fields.matches(key.as_str()));
            for (key, value) in own.into_iter().chain(added) {
                if let Some(stamp) = stamps.iter().position(|(stamp, _)| *stamp == key) {
                    if !may_override(at, stamp) {
                        continue;
                    }
                    overridden[stamp] = true;
                }
                // The later value wins, in the later place: what is further in stands nearer to the event.
                fields.retain(|(known, _)| *known != key);
                fields.push((key, inheriting.limits.cut(value)));
            }
        }
        let mut overridden = overridden.into_iter();
        stamps.retain(|_| !overridden.next().unwrap_or(false));
        let count = stamps.len();
        let mut attributes = stamps;
        attributes.append(&mut fields);
        Self {
            version,
            key_set: key_set(&attributes),
            prepared: (inheriting.prepare)(&attributes),
            stamps: count,
            attributes,
        }
    }
}

/// Sets `key`, which stays where it is if it was there.
fn put(attributes: &mut Vec<(Key, AnyValue)>, key: Key, value: AnyValue) {
    match attributes.iter_mut().find(|(known, _)| *known == key) {
        Some(known) => known.1 = value,
        None => attributes.push((key, value)),
    }
}
