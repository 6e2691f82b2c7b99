//! The two signals that a pipeline delivers.

/// A signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Signal {
    #[default]
    Logs,
    Traces,
}

impl Signal {
    /// What one item of it is called, in the plural.
    pub(crate) fn items(self) -> &'static str {
        match self {
            Self::Logs => "log records",
            Self::Traces => "spans",
        }
    }
}

#[cfg_attr(not(feature = "otlp-http"), expect(dead_code, reason = "only the builder reads settings"))]
impl Signal {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Traces => "traces",
        }
    }

    pub(crate) fn url_setting(self) -> &'static str {
        match self {
            Self::Logs => "with_logs_url",
            Self::Traces => "with_traces_url",
        }
    }

    /// The names of an `OTEL_EXPORTER_OTLP_…` variable: the signal's own form, which takes
    /// precedence, and the general one.
    pub(crate) fn variables(self, what: &str) -> [String; 2] {
        let own = match self {
            Self::Logs => "LOGS",
            Self::Traces => "TRACES",
        };
        [format!("OTEL_EXPORTER_OTLP_{own}_{what}"), format!("OTEL_EXPORTER_OTLP_{what}")]
    }

    /// The name of a variable of its batch processor.
    pub(crate) fn batch_variable(self, what: &str) -> String {
        match self {
            Self::Logs => format!("OTEL_BLRP_{what}"),
            Self::Traces => format!("OTEL_BSP_{what}"),
        }
    }

    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Logs => "/v1/logs",
            Self::Traces => "/v1/traces",
        }
    }

    #[cfg_attr(not(feature = "install"), expect(dead_code, reason = "only `install` chooses exporters"))]
    pub(crate) fn exporter_variable(self) -> &'static str {
        match self {
            Self::Logs => "OTEL_LOGS_EXPORTER",
            Self::Traces => "OTEL_TRACES_EXPORTER",
        }
    }

    #[cfg_attr(not(feature = "grpc"), expect(dead_code, reason = "only gRPC has methods"))]
    pub(crate) fn grpc_method(self) -> &'static str {
        match self {
            Self::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            Self::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        }
    }
}
