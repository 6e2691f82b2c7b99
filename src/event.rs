//! An event's fields as a record's body, severity, exception and attributes.

pub(crate) mod callsite;
pub(crate) mod exception;
pub(crate) mod extras;
pub(crate) mod merge;
pub(crate) mod visitor;
