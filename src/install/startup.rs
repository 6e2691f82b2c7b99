//! The line that says what was installed.

use std::fmt;

use crate::install::env;
use crate::install::guard::Telemetry;
use crate::otlp::pipeline::Pipeline;

/// The target of the line. It makes no records: they are the program's.
pub(crate) const TARGET: &str = "spanlog::install";

/// What the line says of sampler and filter.
#[derive(Debug)]
pub(crate) struct Settings {
    /// `None`: that of the environment.
    pub(crate) sampler: Option<String>,
    pub(crate) filter: String,
}

impl Settings {
    pub(crate) fn log(&self, telemetry: &Telemetry) {
        let sampler = self.sampler.clone().unwrap_or_else(env::sampler);
        tracing::debug!(target: TARGET, %sampler, filter = %self.filter, "telemetry is installed: {}", To(telemetry));
    }
}

/// Where telemetry goes, and how.
struct To<'a>(&'a Telemetry);

impl fmt::Display for To<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pipelines: Vec<Pipeline> = self.0.direct.iter().map(|direct| direct.pipeline.clone()).collect();
        let direct = pipelines.iter().flat_map(Pipeline::lanes).filter_map(|lane| {
            let (items, to) = (lane.queue().signal().items(), lane.reporter()?.receiver());
            Some(format!("{items} to {to} ({})", lane.exporter))
        });
        let sdk = self.0.meters.iter().map(|meter| {
            let output = meter.read();
            format!("{} to {} ({} of the SDK)", output.signal, meter.receiver(), output.exporter)
        });
        let all: Vec<String> = direct.chain(sdk).collect();
        match all.is_empty() {
            true => f.write_str("nothing is sent"),
            false => f.write_str(&all.join(", ")),
        }
    }
}
