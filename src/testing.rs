//! For tests of programs: what a test logs and which spans it starts, as data, and pipelines that
//! do not send anything.
//!
//! ```
//! use spanlog::{assert_correlated, assert_no_loss, assert_record, op};
//!
//! # /*
//! #[test]
//! # */
//! fn a_plan_says_what_it_changes() {
//!     let capture = spanlog::testing::capture();
//!
//!     op::run("terraform", "plan", [], || {
//!         tracing::info!(changes = 3, "planned");
//!         Ok::<_, std::io::Error>(())
//!     })
//!     .unwrap();
//!
//!     assert_record!(capture, "planned", changes = 3, in_span("terraform.plan"));
//!     assert_correlated!(capture);
//!     assert_no_loss!(capture);
//! }
//! # a_plan_says_what_it_changes();
//! ```
//!
//! # Which test a span or a record belongs to
//!
//! Tests run at the same time in one process, and a subscriber of one thread does not get what is
//! logged on another one. So the first [`capture`] sets one subscriber for the whole process, and
//! each span and each record goes to the capture that it belongs to. The first of these rules that
//! finds a capture decides:
//!
//! 1. **Its span.** A span belongs to the capture of its parent, and a record to that of its span.
//! 2. **Its thread**: the one that called [`capture`], and those inside [`Capture::in_scope`].
//! 3. **Its tokio runtime**, with the feature `tokio`: that in which [`capture`] was called. Each
//!    `#[tokio::test]` has one of its own.
//! 4. **The thread that started its thread**, on Linux: a thread belongs to the capture that the
//!    thread which started it belonged to by rule 2 or 4.
//!
//! A span without a parent is judged where it is created, not where it is first entered. What
//! belongs to a capture that has ended is dropped.
//!
//! What no rule finds a capture for is given to none. On a thread that is named like a test, in a
//! runtime in which no test captures, and on the threads that those start (on Linux), it is taken
//! for that of another test, which does not capture, and ignored. Anything else may be this test's:
//! it is counted in [`Capture::unattributed`] of all captures, and makes
//! [`assert_no_loss!`](crate::assert_no_loss) fail.
//!
//! # Limits
//!
//! * Threads that tests share (a pool, a static runtime) belong to nobody, or to the test in which
//!   they were started. Their work is attributed if it is done in a span, or wrapped with
//!   [`Capture::carry`].
//! * On systems other than Linux, rule 4 finds nothing. Neither does it for a thread that is
//!   started by a task on a worker of a multi-thread runtime. Start it in a span, with
//!   [`task::thread`](crate::task::thread), or with [`Capture::carry`].
//! * The subscriber is global: a test binary that captures cannot set one of its own, so the code
//!   under test must not call `install` or `init`. A scoped subscriber takes what is logged under
//!   it.
//! * All captures of a process have the same [keys](set_keys).

mod captures;
mod correlated;
#[cfg(target_os = "linux")]
mod creator;
#[cfg(not(target_os = "linux"))]
#[path = "testing/no_creator.rs"]
mod creator;
mod draft;
mod kept;
mod layer;
mod loss;
mod macros;
mod pipelines;
mod processor;
mod query;
mod record;
mod route;
#[cfg(feature = "tokio")]
mod runtime;
#[cfg(not(feature = "tokio"))]
#[path = "testing/no_runtime.rs"]
mod runtime;
mod span;
mod stamps;
mod subscriber;
mod table;
mod thread_stack;
mod value;

pub use self::captures::{capture, Capture};
pub use self::pipelines::{discarding, discarding_with_spool, pipeline, storing, Requests};
#[doc(hidden)]
pub use self::query::Query;
pub use self::record::Record;
pub use self::span::{Span, SpanEvent};
pub use self::stamps::set_keys;
pub use self::value::Expected;
