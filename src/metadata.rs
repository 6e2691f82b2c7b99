//! [`JobMetadata`]: the metadata of a job.

use std::borrow::Cow;

use crate::keys::{Keys, JOB_KEYS};

/// The metadata of a job: two ids that are required, and other ids and names that are optional.
///
/// An empty value counts as absent and is not stamped.
///
/// ```
/// use spanlog::{job, JobMetadata};
///
/// let metadata = JobMetadata::new("job-1", "exec-1").with_group("deploys").with_org_id("org-7");
/// job::scope(metadata, || {
///     assert_eq!(job::current().unwrap().execution_id(), "exec-1");
///     tracing::info!("this record, and every span started here, carries the job");
/// });
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct JobMetadata {
    /// In the order of [`Keys::job`].
    values: [Cow<'static, str>; JOB_KEYS],
}

impl JobMetadata {
    /// The metadata of one execution of a job.
    pub fn new(job_id: impl Into<Cow<'static, str>>, execution_id: impl Into<Cow<'static, str>>) -> Self {
        let mut metadata = Self::default();
        metadata.values[0] = job_id.into();
        metadata.values[1] = execution_id.into();
        metadata
    }

    /// The value at an index of [`Keys::job`], empty if there is none.
    pub(crate) fn value(&self, index: usize) -> &str {
        &self.values[index]
    }

    /// The attribute names under `keys`, and the values, of everything that is not empty.
    pub(crate) fn stamps(
        &self,
        keys: &Keys,
    ) -> impl Iterator<Item = (&'static str, &Cow<'static, str>)> + '_ {
        let names: [&'static str; JOB_KEYS] = std::array::from_fn(|index| keys.job()[index]);
        names.into_iter().zip(&self.values).filter(|(_, value)| !value.is_empty())
    }
}

macro_rules! values {
    ($($index:literal, $get:ident, $with:ident, $what:literal;)*) => {
        impl JobMetadata {
            $(
                #[doc = concat!("The ", $what, "; empty if there is none.")]
                pub fn $get(&self) -> &str {
                    &self.values[$index]
                }

                #[doc = concat!("Sets the ", $what, ".")]
                #[must_use]
                pub fn $with(mut self, value: impl Into<Cow<'static, str>>) -> Self {
                    self.values[$index] = value.into();
                    self
                }
            )*
        }
    };
}

values! {
    0, job_id, with_job_id, "job id";
    1, execution_id, with_execution_id, "execution id";
    2, step, with_step, "step name";
    3, group, with_group, "job's group";
    4, operation, with_operation, "job's operation";
    5, executor, with_executor, "executor";
    6, org_id, with_org_id, "organisation id";
    7, install_id, with_install_id, "install id";
    8, log_stream_id, with_log_stream_id, "log stream id";
}
