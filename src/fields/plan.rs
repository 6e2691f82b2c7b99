//! Whether an event's own fields can be written straight behind what its record inherits.
//!
//! They can unless a key would appear twice. That depends on the callsite and on the inherited keys
//! only, so the answer is worked out once for each pair and remembered by the thread.

use std::cell::Cell;

use opentelemetry::logs::AnyValue;
use opentelemetry::Key;
use tracing::Metadata;

use super::is_control;
use crate::inherit::Block;
use crate::trace::is_entry;

/// What is known of an event before its values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// No key can appear twice.
    pub(crate) is_straight: bool,
    /// It comes from the `log` facade: `log.*` fields are metadata.
    pub(crate) is_log: bool,
    /// Something may lie beside it: it comes from there, or is an entry of [`trace`](crate::trace).
    pub(crate) may_carry: bool,
    /// The name is one that the user gave.
    pub(crate) is_named: bool,
    /// A field is a control field.
    pub(crate) has_control: bool,
    /// A field is named as those are whose text may serve as the body.
    pub(crate) has_error: bool,
}

#[derive(Clone, Copy)]
struct Remembered {
    callsite: usize,
    key_set: u64,
    extra: &'static [&'static str],
    plan: Plan,
}

/// A power of two. Two pairs that share a place work their answers out more often, no worse.
const PLACES: usize = 64;

thread_local! {
    static REMEMBERED: [Cell<Option<Remembered>>; PLACES] = const { [const { Cell::new(None) }; PLACES] };
}

/// The plan for events of `metadata` behind `block`, with `extra` keys written last.
#[inline]
pub(crate) fn plan(
    metadata: &'static Metadata<'static>,
    block: Option<&Block>,
    extra: &'static [&'static str],
) -> Plan {
    let callsite = std::ptr::from_ref(metadata) as usize;
    let key_set = block.map_or(0, |block| block.key_set);
    let place = ((callsite >> 4) ^ (key_set as usize)) % PLACES;
    REMEMBERED
        .try_with(|places| {
            if let Some(known) = places[place].get() {
                if known.callsite == callsite && known.key_set == key_set && std::ptr::eq(known.extra, extra)
                {
                    return known.plan;
                }
            }
            let plan = work_out(metadata, block, extra);
            places[place].set(Some(Remembered { callsite, key_set, extra, plan }));
            plan
        })
        .unwrap_or_else(|_| work_out(metadata, block, extra))
}

fn work_out(
    metadata: &'static Metadata<'static>,
    block: Option<&Block>,
    extra: &'static [&'static str],
) -> Plan {
    let inherited: &[(Key, AnyValue)] = block.map_or(&[], |block| &block.attributes);
    let is_log = is_log(metadata);
    let own =
        || {
            metadata.fields().iter().map(|field| field.name()).filter(|name| {
                *name != "message" && !is_control(name) && !(is_log && name.starts_with("log."))
            })
        };
    let is_inherited = |name: &str| inherited.iter().any(|(key, _)| key.as_str() == name);
    // Any field may hold an error, which is written under other keys than its own.
    let is_exception = |name: &str| name.starts_with("exception.");
    let twice = own().enumerate().any(|(index, name)| {
        is_inherited(name)
            || is_exception(name)
            || extra.contains(&name)
            || own().take(index).any(|earlier| earlier == name)
    });
    let inherited_conflicts =
        inherited.iter().any(|(key, _)| is_exception(key.as_str()) || extra.contains(&key.as_str()));
    Plan {
        is_straight: !twice && !inherited_conflicts,
        is_log,
        may_carry: is_log || is_entry(metadata),
        is_named: is_named(metadata, is_log),
        has_control: metadata.fields().iter().any(|field| is_control(field.name())),
        has_error: metadata.fields().iter().any(|field| matches!(field.name(), "error" | "err")),
    }
}

fn is_log(metadata: &Metadata<'_>) -> bool {
    use tracing_log::AsTrace;
    // tracing-log's callsites are private, but metadata of a `log` record carries their identity.
    metadata.name() == "log event"
        && metadata.target() == "log"
        && log::Level::iter().any(|level| {
            let probe = log::Metadata::builder().level(level).build();
            probe.as_trace().callsite() == metadata.callsite()
        })
}

/// tracing names an event `event FILE:LINE` if the user does not, and tracing-log `log event`.
fn is_named(metadata: &Metadata<'_>, is_log: bool) -> bool {
    let generated = || {
        let place = metadata.name().strip_prefix("event ")?;
        let (file, line) = place.rsplit_once(':')?;
        Some(metadata.file() == Some(file) && metadata.line() == line.parse().ok())
    };
    !is_log && !is_entry(metadata) && generated() != Some(true)
}
