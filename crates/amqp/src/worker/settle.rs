//! Dealing with how a task ended: what has to be on the broker before it is acknowledged.

use std::{sync::Arc, time::Duration};

use outwork_core::{Outcome, Report, State, TaskError, TaskErrorKind};
use tokio::sync::oneshot;

use super::{
    dead::{Reason, bury_letter},
    desk::{Desk, count},
    errand::Ending,
    hand::{Hand, Held, Wish},
    results::Sent,
};
use crate::{
    lock::lock,
    publisher::Outgoing,
    telemetry::{self, End},
    wire::{Ended, Envelope, JobRecord, Millis, RemoteEvent, now, output_len},
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
            Some(Box::pin(bury(desk, hand, &outcome, reason)).await)
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

/// Lets a task go, once it is known whether it is dealt with.
fn conclude(desk: &Desk, hand: &Hand, dealt: bool) {
    if dealt {
        desk.let_go(hand);
    } else {
        desk.drop_unsettled(hand);
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

/// All that is logged of an error by default: its words may repeat arguments.
fn kind(error: &TaskError) -> &'static str {
    error.kind().name()
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
        lock(&desk.settled).add(hand.key());
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
        record_end(desk, hand, &outcome).await;
    }
}

/// Puts the task back as it is, for another worker.
async fn give_back(desk: &Desk, hand: &Hand) {
    // The message may come back to this very worker, before it is known to have arrived.
    let before = hand.take_tokens();
    if publish_again(desk, hand).await {
        desk.hand_back(hand, before);
    } else {
        desk.drop_unsettled(hand);
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
        // It is the same attempt that comes again, perhaps to this very worker.
        lock(&desk.settled).forget(&hand.key());
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

/// Sends the result of a task. Whether the task is dealt with; `None` when that will be seen to
/// once it is known.
async fn finish(desk: &Arc<Desk>, hand: &Arc<Hand>, outcome: &Outcome) -> Option<bool> {
    let reason = Reason::of(outcome);
    if hand.envelope.detached || reason.is_some() {
        return Some(Box::pin(bury(desk, hand, outcome, reason)).await);
    }
    announce_end(desk, hand, outcome).await;
    let Some((reply_to, ended)) = result_of(desk, hand, outcome) else {
        note_end(desk, hand, outcome.state());
        return Some(true);
    };
    let (desk_then, hand, state) = (Arc::clone(desk), Arc::clone(hand), outcome.state());
    let errand = desk.errands.begin();
    desk.results.send(reply_to, ended, move |sent| {
        let desk = desk_then;
        let dealt = note_sent(&desk, &hand.envelope, sent);
        if dealt {
            note_end(&desk, &hand, state);
        }
        conclude(&desk, &hand, dealt);
        drop(errand);
    });
    None
}

/// Sends the result of a task, and writes its end to where else it belongs.
async fn bury(
    desk: &Arc<Desk>,
    hand: &Arc<Hand>,
    outcome: &Outcome,
    reason: Option<Reason>,
) -> bool {
    announce_end(desk, hand, outcome).await;
    if !send_result(desk, hand, outcome).await {
        return false;
    }
    if hand.envelope.detached && !record_end(desk, hand, outcome).await {
        return false;
    }
    if let Some(reason) = reason
        && !bury_letter(desk, hand, &reason).await
    {
        return false;
    }
    note_end(desk, hand, outcome.state());
    true
}

/// From here on no wish is heeded, and what was told of the task is on its way.
async fn announce_end(desk: &Desk, hand: &Hand, outcome: &Outcome) {
    let envelope = &hand.envelope;
    tracing::info!(
        task_id = %envelope.id, task_name = %envelope.name, attempt = hand.attempt(),
        state = %outcome.state(), error = outcome.error().map(kind), "finished"
    );
    tracing::debug!(
        task_id = %envelope.id, error = outcome.error().map(tracing::field::display), "finished"
    );
    hand.close(Held::Ending);
    desk.send_outbox(hand).await;
}

fn note_end(desk: &Desk, hand: &Hand, state: State) {
    count(&desk.counters.done);
    desk.told.of(&hand.envelope.queue).settled(End::Ended(state));
    lock(&desk.settled).add(hand.key());
}

/// Sends the result until it is confirmed; `false` when the worker was closed before.
async fn send_result(desk: &Desk, hand: &Hand, outcome: &Outcome) -> bool {
    let Some((reply_to, ended)) = result_of(desk, hand, outcome) else { return true };
    let (tell, told) = oneshot::channel();
    desk.results.send(reply_to, ended, |sent| {
        // Who waited for it may have gone.
        let _ = tell.send(sent);
    });
    note_sent(desk, &hand.envelope, told.await.unwrap_or(Sent::Unsettled))
}

/// The result as it is to be sent, and where to, if there is somebody who may have it.
fn result_of(desk: &Desk, hand: &Hand, outcome: &Outcome) -> Option<(Arc<str>, Ended)> {
    let reply_to = Arc::clone(hand.reply_to.as_ref()?);
    let (envelope, limit) = (&hand.envelope, desk.options.payload_limit());
    let ended = Ended::new(envelope, outcome, limit).or_else(|error| {
        let error = TaskError::new(TaskErrorKind::Infrastructure, error.to_string());
        Ended::new(envelope, &Outcome::bare(Err(error)), limit)
    });
    let ended = ended.inspect_err(|error| tracing::error!(%error, "a result cannot be written"));
    Some((reply_to, ended.ok()?))
}

/// Whether a result need not be sent again. A client that has gone does not get it, which is
/// counted.
fn note_sent(desk: &Desk, envelope: &Envelope, sent: Sent) -> bool {
    if sent == Sent::Dropped {
        count(&desk.counters.dropped_results);
        telemetry::result_dropped();
        tracing::warn!(task_id = %envelope.id, "a result was dropped: its client is gone");
    }
    sent != Sent::Unsettled
}

/// Writes how a detached job ended to the stream of the jobs.
async fn record_end(desk: &Desk, hand: &Hand, outcome: &Outcome) -> bool {
    record(desk, hand, outcome.state(), Some(outcome.clone())).await
}

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
            let key = lapin::types::ShortString::from("jobs");
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
