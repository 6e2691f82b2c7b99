//! [`Keys`]: the attribute names of job and tool metadata.

use std::borrow::Cow;
use std::sync::{Mutex, OnceLock, PoisonError};

use opentelemetry::Key;
use opentelemetry_semantic_conventions::attribute as semconv;

/// The attribute names of job and tool metadata.
///
/// It is cheap to copy. Use the same keys on every layer and processor that stamps
/// ([`LogLayer::with_keys`](crate::LogLayer::with_keys),
/// [`SpanLayer::with_keys`](crate::SpanLayer::with_keys),
/// [`JobSpanProcessor::with_keys`](crate::JobSpanProcessor::with_keys));
/// [`Builder::with_keys`](crate::install::Builder::with_keys) sets all three.
///
/// ```
/// use spanlog::Keys;
///
/// assert_eq!(Keys::nuon().job_id(), "runner_job.id");
/// assert_eq!(Keys::cicd().job_id(), "cicd.pipeline.run.id");
/// assert_eq!(Keys::nuon().with_tool("acme.tool").tool(), "acme.tool");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Keys {
    /// The job's nine, then tool and operation.
    names: [&'static str; COUNT],
}

const COUNT: usize = 11;

const TOOL: usize = 9;

const OPERATION: usize = 10;

/// How many of the names are the job's.
pub(crate) const JOB_KEYS: usize = TOOL;

impl Keys {
    /// The default set: `runner_job.id` and its siblings, `nuon.tool` and `nuon.op`.
    pub const fn nuon() -> Self {
        Self {
            names: [
                "runner_job.id",
                "runner_job_execution.id",
                "runner_job_execution_step.name",
                "runner_job.group",
                "runner_job.operation",
                "runner_job.executor",
                "org.id",
                "install.id",
                "log_stream.id",
                "nuon.tool",
                "nuon.op",
            ],
        }
    }

    /// OpenTelemetry's CI/CD names, where the [semantic conventions] have one.
    ///
    /// Group, organisation, install, log stream, tool and operation have none, and keep their
    /// default names.
    ///
    /// [semantic conventions]: https://opentelemetry.io/docs/specs/semconv/registry/attributes/cicd/
    pub const fn cicd() -> Self {
        Self {
            names: [
                semconv::CICD_PIPELINE_RUN_ID,
                semconv::CICD_PIPELINE_TASK_RUN_ID,
                semconv::CICD_PIPELINE_TASK_NAME,
                "runner_job.group",
                semconv::CICD_PIPELINE_ACTION_NAME,
                semconv::CICD_WORKER_NAME,
                "org.id",
                "install.id",
                "log_stream.id",
                "nuon.tool",
                "nuon.op",
            ],
        }
    }

    /// OpenTelemetry's names for generative AI, where the [semantic conventions] have one, for agents whose
    /// tool calls are ops: tool and operation are `gen_ai.tool.name` and `gen_ai.operation.name`, the job is
    /// the conversation, its group the workflow, its executor the agent.
    ///
    /// The others have none, and keep their default names.
    ///
    /// ```
    /// assert_eq!(spanlog::Keys::gen_ai().tool(), "gen_ai.tool.name");
    /// ```
    ///
    /// [semantic conventions]: https://github.com/open-telemetry/semantic-conventions-genai
    pub const fn gen_ai() -> Self {
        Self {
            names: [
                "gen_ai.conversation.id",
                "runner_job_execution.id",
                "runner_job_execution_step.name",
                "gen_ai.workflow.name",
                "runner_job.operation",
                "gen_ai.agent.name",
                "org.id",
                "install.id",
                "log_stream.id",
                "gen_ai.tool.name",
                "gen_ai.operation.name",
            ],
        }
    }

    /// All presets, the default one first.
    #[cfg(feature = "graph")]
    pub(crate) const PRESETS: [Self; 3] = [Self::nuon(), Self::cicd(), Self::gen_ai()];

    pub(crate) fn job(&self) -> &[&'static str] {
        &self.names[..JOB_KEYS]
    }

    /// Whether this is the name of an id that distinguishes executions of jobs.
    pub(crate) fn is_id(&self, name: &str) -> bool {
        self.names[..2].contains(&name)
    }

    fn with(mut self, index: usize, name: impl Into<Cow<'static, str>>) -> Self {
        self.names[index] = intern(name.into());
        self
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self::nuon()
    }
}

macro_rules! names {
    ($($index:expr, $get:ident, $with:ident, $what:literal;)*) => {
        impl Keys {
            $(
                #[doc = concat!("The attribute name of the ", $what, ".")]
                pub fn $get(&self) -> &'static str {
                    self.names[$index]
                }

                #[doc = concat!("Sets the attribute name of the ", $what, ".")]
                #[must_use]
                pub fn $with(self, name: impl Into<Cow<'static, str>>) -> Self {
                    self.with($index, name)
                }
            )*
        }
    };
}

names! {
    0, job_id, with_job_id, "job id";
    1, execution_id, with_execution_id, "execution id";
    2, step_name, with_step_name, "step name";
    3, group, with_group, "job's group";
    4, operation_of_job, with_operation_of_job, "job's operation";
    5, executor, with_executor, "executor";
    6, org_id, with_org_id, "organisation id";
    7, install_id, with_install_id, "install id";
    8, log_stream_id, with_log_stream_id, "log stream id";
    TOOL, tool, with_tool, "tool of an op";
    OPERATION, operation, with_operation, "operation of an op";
}

/// Makes a key name `'static`, as tracing's field sets require. Names are set once by the program,
/// so the few that are not literals are leaked, each only once.
fn intern(name: Cow<'static, str>) -> &'static str {
    static NAMES: OnceLock<Mutex<Vec<&'static str>>> = OnceLock::new();
    let name = match name {
        Cow::Borrowed(name) => return name,
        Cow::Owned(name) => name,
    };
    let mut names = NAMES.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.iter().find(|known| **known == name) {
        return known;
    }
    let name: &'static str = Box::leak(name.into_boxed_str());
    names.push(name);
    name
}

/// The attribute for the label of an op; the conventions have none.
pub(crate) const LABEL: &str = "op.label";

/// A key with a static name, whose clones do not allocate.
pub(crate) fn key(name: &'static str) -> Key {
    Key::from_static_str(name)
}

/// Whether this is the name of a control field, which configures a span or record and is no
/// attribute.
#[inline]
pub(crate) fn is_control(name: &str) -> bool {
    name.starts_with("otel.")
}
