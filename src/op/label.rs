//! The label of an op.

use opentelemetry::{KeyValue, StringValue};

use crate::keys;

/// A label of an op, as an attribute: a workspace, a chart, a table. Short text that tells the op
/// apart from others of the same name; the [graph](crate::graph) shows it wherever it shows the op.
///
/// ```
/// use spanlog::op;
///
/// let apply = op::start("terraform", "apply", [op::label("prod-eu-25")]);
/// apply.end(&Ok::<_, std::io::Error>(()));
/// ```
pub fn label(label: impl Into<StringValue>) -> KeyValue {
    KeyValue::new(keys::LABEL, label.into())
}
