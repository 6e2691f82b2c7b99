//! The recorder of an installation.

use opentelemetry_sdk::logs::LoggerProviderBuilder;
use opentelemetry_sdk::trace::TracerProviderBuilder;

use crate::install::providers::{self, Change};
use crate::keys::Keys;
use crate::layer::recording::Recorder;
use crate::layer::LogLayer;

pub(crate) type RecordingLayer = LogLayer<Recorder>;

/// The recorder that was asked for, if any.
#[derive(Clone, Default)]
pub(crate) struct Recording(pub(crate) Option<Recorder>);

impl Recording {
    pub(crate) fn with_keys(self, keys: Keys) -> Self {
        Self(self.0.map(|recorder| recorder.with_keys(keys)))
    }

    pub(crate) fn span_processor(&self) -> Option<Change<TracerProviderBuilder>> {
        self.0.clone().map(providers::span_processor)
    }

    pub(crate) fn log_processor(self) -> Option<Change<LoggerProviderBuilder>> {
        self.0.map(providers::log_processor)
    }

    pub(crate) fn layer(self) -> Option<RecordingLayer> {
        self.0.map(LogLayer::recording)
    }
}
