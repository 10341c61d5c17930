//! [`Hooks`]: what is done around each attempt.

use futures_core::future::BoxFuture;

use crate::{BoxError, Outcome, TaskContext};

/// What is done around each attempt, by the process that supervises it.
///
/// `setup` runs before the body; when it fails the body never runs and the attempt fails.
/// `teardown` runs exactly once after each `setup` that was called, whatever happened:
/// success, error, panic, time limit or cancellation; and before the handle resolves.
/// Its error is added to the outcome as a note and never replaces the result.
/// Panics in either count as errors.
pub trait Hooks: Send + Sync + std::fmt::Debug {
    /// Prepares for the attempt.
    fn setup<'a>(&'a self, ctx: &'a TaskContext) -> BoxFuture<'a, Result<(), BoxError>> {
        let _ = ctx;
        Box::pin(std::future::ready(Ok(())))
    }

    /// Cleans up after the attempt.
    fn teardown<'a>(
        &'a self,
        ctx: &'a TaskContext,
        outcome: &'a Outcome,
    ) -> BoxFuture<'a, Result<(), BoxError>> {
        let _ = (ctx, outcome);
        Box::pin(std::future::ready(Ok(())))
    }
}
