//! What follows an attempt: the end, another attempt, or another worker.

use std::{sync::Arc, time::Duration};

use outwork_core::{Outcome, Report, TaskError};

use super::{
    dead::Reason,
    desk::{Desk, count},
    errand::Ending,
    finish::{conclude, finish, finish_in_steps, kind, send_result},
    hand::{Hand, Held, Wish},
    job_records::record,
};
use crate::{
    lock::lock,
    publisher::Outgoing,
    telemetry::End,
    wire::{Envelope, Millis, RemoteEvent, now},
};

/// Publishes what follows from the end of an attempt, and then acknowledges.
///
/// A worker that is closed in the middle acknowledges nothing: the task comes again.
pub(super) async fn settle(desk: &Arc<Desk>, hand: &Arc<Hand>, ending: Ending) {
    let dealt = match ending {
        // What is rare is boxed: every task would have to carry the room for it.
        Ending::GivenBack => return Box::pin(give_back(desk, hand)).await,
        Ending::GivenUp(outcome) => {
            let reason = Reason::crashed_worker(&outcome);
            Some(Box::pin(finish_in_steps(desk, hand, &outcome, reason)).await)
        }
        Ending::Ended(outcome) => match next_of(desk, hand, outcome) {
            Next::Retry(outcome, error, delay) => {
                Some(Box::pin(retry(desk, hand, &outcome, error, delay)).await)
            }
            Next::End(outcome) => finish(desk, hand, &outcome).await,
        },
    };
    if let Some(dealt) = dealt {
        conclude(desk, hand, dealt);
    }
}

/// What follows an attempt.
enum Next {
    Retry(Outcome, TaskError, Duration),
    End(Outcome),
}

fn next_of(desk: &Desk, hand: &Hand, outcome: Outcome) -> Next {
    let options = hand.task.options();
    let Some(error) = outcome.error() else { return Next::End(outcome) };
    if !options.retry.retries(hand.attempt(), error, options.idempotent) {
        return Next::End(outcome);
    }
    if hand.wanted() == Wish::Cancel || lock(&desk.tombstones).covers(&hand.envelope) {
        return Next::End(outcome.map_error(cancelled_after));
    }
    let (error, delay) =
        (error.clone(), options.retry.delay_after(hand.attempt(), fastrand::f64()));
    Next::Retry(outcome, error, delay)
}

/// The error of a task that was cancelled instead of being tried again.
fn cancelled_after(last: TaskError) -> TaskError {
    let mut error = TaskError::cancelled();
    error.add_note(format!("its last attempt failed: {last}"));
    error
}

async fn retry(
    desk: &Desk,
    hand: &Hand,
    outcome: &Outcome,
    error: TaskError,
    delay: Duration,
) -> bool {
    tracing::info!(
        task_id = %hand.envelope.id, task_name = %hand.envelope.name, attempt = hand.attempt(),
        ?delay, error = kind(&error), "retrying"
    );
    tracing::debug!(task_id = %hand.envelope.id, %error, "retrying");
    announce_made_up(hand, outcome);
    let last_only = hand.task.options().last_output_only;
    let output = outcome.outputs().last().filter(|_| !last_only).cloned();
    hand.put_out(RemoteEvent::Retrying { attempt: hand.attempt(), error, delay, output });
    desk.send_outbox(hand).await;
    let millis = i64::try_from(delay.as_millis()).unwrap_or(Millis::MAX);
    let next = Envelope {
        failures: hand.envelope.failures + 1,
        not_before: (!delay.is_zero()).then(|| now().saturating_add(millis)),
        ..hand.envelope.clone()
    };
    let sent = desk.insist(task_message(desk, &next, hand, delay)).await.is_ok();
    if sent {
        count(&desk.counters.retried);
        desk.told.of(&next.queue).settled(End::Retried);
        desk.hands.note_settled(hand);
        let last = outcome.error().cloned();
        sent_too_late_to_cancel(desk, hand, outcome.attempts(), last).await;
    }
    sent
}

/// A task that was cancelled while its message was on its way back into the queue will not be
/// run any more, and nobody should wait for the message to come up.
async fn sent_too_late_to_cancel(desk: &Desk, hand: &Hand, attempts: u32, last: Option<TaskError>) {
    let wished = hand.close(Held::LetGo) == Wish::Cancel;
    if !wished && !lock(&desk.tombstones).covers(&hand.envelope) {
        return;
    }
    let error = last.map_or_else(TaskError::cancelled, cancelled_after);
    let outcome = Outcome::new(Err(error), Report { attempts, ..Report::default() });
    send_result(desk, hand, &outcome).await;
    if hand.envelope.detached {
        record(desk, hand, outcome.state(), Some(outcome)).await;
    }
}

/// Puts the task back as it is, for another worker.
async fn give_back(desk: &Desk, hand: &Hand) {
    // The message may come back to this very worker, before it is known to have arrived.
    let before = hand.take_tokens();
    if publish_again(desk, hand).await {
        desk.hands.hand_back(hand, before);
    } else {
        desk.hands.drop_unsettled(hand);
    }
}

async fn publish_again(desk: &Desk, hand: &Hand) -> bool {
    let left = hand.envelope.not_before.map_or(0, |due| due - now());
    let delay = Duration::from_millis(u64::try_from(left).unwrap_or(0));
    let sent = desk.insist(task_message(desk, &hand.envelope, hand, delay)).await.is_ok();
    if sent {
        tracing::info!(task_id = %hand.envelope.id, task_name = %hand.envelope.name, "given back");
        count(&desk.counters.given_back);
        desk.told.of(&hand.envelope.queue).settled(End::GivenBack);
        if hand.started().is_some() {
            count(&desk.counters.interrupted);
        }
        desk.hands.forget_settled(hand);
        sent_too_late_to_cancel(desk, hand, hand.envelope.failures, None).await;
    }
    sent
}

/// The task as a message that is to come after this time.
fn task_message(desk: &Desk, envelope: &Envelope, hand: &Hand, delay: Duration) -> Outgoing {
    let (exchange, key) = desk.options.names().way(&envelope.queue, delay);
    Outgoing { exchange, key, properties: envelope.properties(), body: hand.body(), give_up: None }
}

/// A body that ended before anybody was told of its start has one all the same.
fn announce_made_up(hand: &Hand, outcome: &Outcome) {
    if outcome.attempts() > hand.envelope.failures && hand.started().is_some() {
        hand.announce();
    }
}
