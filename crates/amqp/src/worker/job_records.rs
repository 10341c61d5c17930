//! What the stream of the jobs is told of those that are detached.

use lapin::types::ShortString;
use outwork_core::{Outcome, State, TaskError, TaskErrorKind};

use super::{desk::Desk, hand::Hand};
use crate::{
    publisher::Outgoing,
    wire::{Envelope, JobRecord, now, output_len},
};

/// Writes a state of a detached job to the stream of the jobs.
pub(super) async fn record(
    desk: &Desk,
    hand: &Hand,
    state: State,
    outcome: Option<Outcome>,
) -> bool {
    let record = |outcome| record_of(desk, hand, state, outcome);
    let limit = desk.options.payload_limit();
    let fits = outcome.as_ref().is_none_or(|outcome| output_len(outcome) <= limit as u64);
    let whole = fits.then(|| record(outcome.clone()).encode());
    let encoded = match whole {
        Some(Ok((_, body))) if body.len() > limit => None,
        whole => whole,
    };
    let encoded = encoded
        .unwrap_or_else(|| record(outcome.map(|outcome| without_output(&outcome, limit))).encode());
    match encoded {
        Ok((properties, body)) => {
            let exchange = desk.options.names().log_exchange();
            let key = ShortString::from("jobs");
            let outgoing = Outgoing { exchange, key, properties, body, give_up: None };
            desk.insist(outgoing).await.is_ok()
        }
        Err(error) => {
            tracing::error!(%error, "the state of a job cannot be written");
            true
        }
    }
}

/// What there is to say of a task that is in hand.
pub(super) fn record_of(
    desk: &Desk,
    hand: &Hand,
    state: State,
    outcome: Option<Outcome>,
) -> JobRecord {
    let Envelope { id, name, queue, submitted, .. } = hand.envelope.clone();
    let (attempt, worker) = (hand.attempt(), Some(desk.sender.name.clone()));
    JobRecord { id, name, queue, submitted, at: now(), state, attempt, worker, outcome }
}

/// What is left of an outcome that is too large to be kept.
fn without_output(outcome: &Outcome, limit: usize) -> Outcome {
    let error = outcome.error().cloned().unwrap_or_else(|| {
        let kind = TaskErrorKind::OutputTooLarge { limit: limit as u64 };
        TaskError::new(kind, "the result is too large to be kept with the job")
    });
    Outcome::bare(Err(error))
}
