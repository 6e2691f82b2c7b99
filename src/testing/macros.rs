//! The macros: [`assert_record!`](crate::assert_record),
//! [`assert_correlated!`](crate::assert_correlated) and [`assert_no_loss!`](crate::assert_no_loss).

/// Asserts that a [capture](crate::testing::capture()) has a record with this message, and returns
/// it: the first one that meets all conditions.
///
/// | condition | the record |
/// | --- | --- |
/// | `key = value`, `"key" = value` | has this attribute. Values are strings, integers, floats and booleans ([`Expected`](crate::testing::Expected)) |
/// | `in_span("name")` | has the ids of a span with this name |
/// | `in_job("id")` | is of the job with this id |
/// | `at(Level::WARN)` | has this level |
///
/// ```
/// use spanlog::{assert_record, job, JobMetadata};
/// use tracing::Level;
///
/// let capture = spanlog::testing::capture();
/// let execution = job::execution(JobMetadata::new("job-1", "exec-1"), "deploy");
/// execution.in_scope(|| tracing::warn!(disk.free = 0.5, host = "a", "disk is full"));
///
/// let record = assert_record!(
///     capture,
///     "disk is full",
///     disk.free = 0.5,
///     "host" = "a",
///     in_span("job.deploy"),
///     in_job("job-1"),
///     at(Level::WARN),
/// );
/// assert!(record.event_name.is_empty());
/// ```
///
/// # Panics
///
/// If there is no such record. The message shows the records that come nearest, with the conditions
/// that they do not meet, and all records and spans.
#[macro_export(local_inner_macros)]
macro_rules! assert_record {
    ($capture:expr, $message:expr $(, $($condition:tt)*)?) => {
        $crate::testing::Capture::assert_record(
            &$capture,
            &__query!($crate::testing::Query::new($message), $($($condition)*)?),
        )
    };
}

/// Adds conditions to a query, one after the other.
#[doc(hidden)]
#[macro_export(local_inner_macros)]
macro_rules! __query {
    ($query:expr, $(,)?) => { $query };
    ($query:expr, in_span($name:expr) $(, $($rest:tt)*)?) => {
        __query!($query.in_span($name), $($($rest)*)?)
    };
    ($query:expr, in_job($id:expr) $(, $($rest:tt)*)?) => {
        __query!($query.in_job($id), $($($rest)*)?)
    };
    ($query:expr, at($level:expr) $(, $($rest:tt)*)?) => {
        __query!($query.at($level), $($($rest)*)?)
    };
    ($query:expr, $key:literal = $value:expr $(, $($rest:tt)*)?) => {
        __query!($query.attribute($key, $value), $($($rest)*)?)
    };
    ($query:expr, $first:ident $(. $next:ident)* = $value:expr $(, $($rest:tt)*)?) => {
        __query!(
            $query.attribute(::core::concat!(::core::stringify!($first) $(, ".", ::core::stringify!($next))*), $value),
            $($($rest)*)?
        )
    };
}

/// Asserts that each record of a [capture](crate::testing::capture()) that was logged in a span has
/// the ids of that span, and that the capture has the span.
///
/// Records outside any span are right without ids: [`assert_record!`](crate::assert_record) with
/// `in_span` says that one must be inside.
///
/// ```
/// let capture = spanlog::testing::capture();
/// tracing::info_span!("deploy").in_scope(|| tracing::info!("deployed"));
/// spanlog::assert_correlated!(capture);
/// ```
///
/// # Panics
///
/// If a record has no ids or other ids, or if no record was logged in a span, so that there is
/// nothing to check.
#[macro_export]
macro_rules! assert_correlated {
    ($capture:expr $(,)?) => {
        $crate::testing::Capture::assert_correlated(&$capture)
    };
}

/// Asserts that nothing of a [capture](crate::testing::capture()) was lost: no event without a
/// record, no attribute dropped and no value truncated by a limit, nothing dropped from a span, and
/// nothing [unattributed](crate::testing::Capture::unattributed).
///
/// ```
/// let capture = spanlog::testing::capture();
/// tracing::info!("kept");
/// spanlog::assert_no_loss!(capture);
/// ```
///
/// # Panics
///
/// If something was lost, or if nothing was captured at all.
#[macro_export]
macro_rules! assert_no_loss {
    ($capture:expr $(,)?) => {
        $crate::testing::Capture::assert_no_loss(&$capture)
    };
}
