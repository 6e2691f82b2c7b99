//! What becomes of an event's fields: body, severity, exception, attributes.

pub(crate) mod callsite;
pub(crate) mod exception;
pub(crate) mod extras;
pub(crate) mod merge;
pub(crate) mod visitor;
