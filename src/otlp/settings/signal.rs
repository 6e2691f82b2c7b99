//! The signals, as OpenTelemetry's environment variables name them.

/// A signal.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    Logs,
    #[cfg_attr(not(feature = "install"), expect(dead_code, reason = "only `install` sends spans"))]
    Traces,
}

#[cfg_attr(not(feature = "install"), expect(dead_code, reason = "only `install` has more than one signal"))]
impl Signal {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Traces => "traces",
        }
    }

    pub(crate) fn exporter_variable(self) -> &'static str {
        match self {
            Self::Logs => "OTEL_LOGS_EXPORTER",
            Self::Traces => "OTEL_TRACES_EXPORTER",
        }
    }
}

impl Signal {
    /// The names of an `OTEL_EXPORTER_OTLP_…` variable: the signal's own form, which takes
    /// precedence, and the general one.
    pub(crate) fn variables(self, what: &str) -> [String; 2] {
        let own = match self {
            Self::Logs => "LOGS",
            Self::Traces => "TRACES",
        };
        [format!("OTEL_EXPORTER_OTLP_{own}_{what}"), format!("OTEL_EXPORTER_OTLP_{what}")]
    }

    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Logs => "/v1/logs",
            Self::Traces => "/v1/traces",
        }
    }
}
