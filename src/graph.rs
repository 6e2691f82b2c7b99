//! The tool-call graph: a job's run as a tree of its spans with their log records.
//!
//! Beside the walk: nothing here is needed to deliver logs and spans.
//!
//! 1. A [`Recorder`] records spans and log records while jobs run, in bounded memory;
//!    [`with_recorder`](crate::Builder::with_recorder) registers it. A [`Reader`] reads them from
//!    OTLP files, written by this crate or by others.
//! 2. Both return a [`ToolCallGraph`]: the root `job.*`, its steps, and the tool calls in them.
//! 3. A [`Node`] is a position in it: its [`Call`], which is the span as plain data, its parent and
//!    children, its [`LogRecord`]s, and whether anything failed there or below.
//! 4. `Progress` shows a recorder's graph on a terminal while it grows (feature `terminal`).
//! 5. A graph can be written as text ([`to_text`](ToolCallGraph::to_text), or for a terminal
//!    [`text`](ToolCallGraph::text)), as a flowchart ([`to_mermaid`](ToolCallGraph::to_mermaid)), as
//!    a summary in Markdown ([`to_markdown`](ToolCallGraph::to_markdown)), and as one HTML file ([`to_html`](ToolCallGraph::to_html),
//!    [`write_html`](ToolCallGraph::write_html)).
//!
//! ```
//! use spanlog::graph::Recorder;
//! use spanlog::op;
//!
//! let recorder = Recorder::default();
//! let (dispatch, guard) = spanlog::builder()
//!     .with_recorder(recorder.clone())
//! #   .with_json_lines(std::env::temp_dir().join("spanlog-graph-doc"))
//!     .build()?;
//! tracing::dispatcher::with_default(&dispatch, || {
//!     op::run("git", "clone", [], || {
//!         tracing::warn!("a shallow clone");
//!         Ok::<_, std::io::Error>(())
//!     })
//! })?;
//!
//! let graph = recorder.graph();
//! for node in graph.nodes() {
//!     println!("{} {:?}", node.call().title(), node.call().duration());
//!     assert_eq!(node.records()[0].body, "a shallow clone");
//! }
//! assert!(graph.to_text().starts_with("✓ git clone"));
//! # drop(guard);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub(crate) mod live;
mod read;
mod attributes;
pub(crate) mod moment;
mod event;
pub(crate) mod call;
pub(crate) mod record;
mod place;
mod labels;
mod attempts;
mod causes;
mod tree;
pub(crate) mod value;
mod tool_call_graph;
mod rows;
mod tail;
mod verdict;
mod jobs;
#[cfg(feature = "terminal")]
mod progress;
mod duration;
mod counted;
mod escape;
mod text;
mod mermaid;
mod markdown;
mod html;

pub use self::call::{Call, Outcome};
pub use self::duration::{format_duration, format_nanoseconds};
pub use self::event::{SpanEvent, SpanLink};
pub use self::jobs::Job;
pub use self::live::jobs::{JobId, LiveJob, DEFAULT_JOBS, DEFAULT_JOB_BYTES};
pub use self::live::recorder::Recorder;
#[cfg(feature = "terminal")]
#[cfg_attr(docsrs, doc(cfg(feature = "terminal")))]
pub use self::progress::writer::ProgressWriter;
#[cfg(feature = "terminal")]
#[cfg_attr(docsrs, doc(cfg(feature = "terminal")))]
pub use self::progress::{Progress, ProgressBuilder};
pub use self::read::{Reader, MEMORY_LIMIT};
pub use self::record::{LogRecord, RecordCounts, RecordLevel};
pub use self::rows::SiblingRow;
pub use self::text::Text;
pub use self::tool_call_graph::{Node, ToolCallGraph};

// Its name before it was told apart from that of `trace`.
#[doc(hidden)]
pub use self::record::RecordLevel as Level;
