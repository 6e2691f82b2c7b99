//! [`JobMetadata`]: the metadata of a job.

use std::borrow::Cow;

use opentelemetry::KeyValue;

use crate::keys::{Keys, JOB_KEYS};

/// The metadata of a job: two ids that are required, other ids and names that are optional, and
/// [any further](Self::with) attributes.
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
    /// Further attributes, by name. Names are unique, values are not empty.
    further: Vec<(Cow<'static, str>, Cow<'static, str>)>,
}

impl JobMetadata {
    /// The metadata of one execution of a job.
    pub fn new(job_id: impl Into<Cow<'static, str>>, execution_id: impl Into<Cow<'static, str>>) -> Self {
        let mut metadata = Self::default();
        metadata.values[0] = job_id.into();
        metadata.values[1] = execution_id.into();
        metadata
    }

    /// Adds an attribute of any name, which is stamped wherever the others are.
    ///
    /// The last value of a name wins; an empty one removes it. If it has the name of one of the others under
    /// the [`Keys`] in use, it takes precedence.
    ///
    /// ```
    /// use spanlog::JobMetadata;
    ///
    /// let metadata = JobMetadata::new("job-1", "exec-1").with("deployment.environment.name", "prod");
    /// assert_eq!(metadata.get("deployment.environment.name"), Some("prod"));
    /// ```
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Cow<'static, str>>) -> Self {
        let (name, value) = (name.into(), value.into());
        self.further.retain(|(known, _)| *known != name);
        if !value.is_empty() {
            self.further.push((name, value));
        }
        self
    }

    /// The value of an attribute that was added [by name](Self::with).
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.further.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_ref())
    }

    /// Those that were added by name.
    pub(crate) fn further(&self) -> impl Iterator<Item = KeyValue> + '_ {
        self.further.iter().map(|(name, value)| KeyValue::new(name.clone(), value.clone()))
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
