//! The queue, the worker and the pipeline, without a network.

mod delivery;
mod overflow;
mod scaling;
mod shrinking;
mod stage;
mod stress;
