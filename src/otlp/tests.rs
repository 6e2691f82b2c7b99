//! Unit tests of encoding, and of the queue, the worker and the pipeline without a network.

mod delivery;
mod encoding;
mod senders;
mod overflow;
mod truncating;
mod fixture;
mod stress;
