//! What is told of the work: spans for `tracing`, counters for the `metrics` facade.

mod counter;
mod queue;
mod span;
#[cfg(test)]
mod tests;

pub(crate) use counter::{client_ended, late_result, published, reconnected, result_dropped, told};
pub(crate) use queue::{ByQueue, End};
pub(crate) use span::{attempt, submit, submit_many};
