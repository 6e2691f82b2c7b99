//! From the queue to an answer: requests, sent until each has an outcome.

pub(crate) mod chunk_ref;
pub(crate) mod delivery;
pub(crate) mod reporter;
pub(crate) mod request;
pub(crate) mod restored;
pub(crate) mod retry;
pub(crate) mod senders;
pub(crate) mod worker;
