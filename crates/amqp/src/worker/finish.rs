//! Telling how a task ended: what has to be on the broker before its message is acknowledged.

use std::sync::Arc;

use outwork_core::{Outcome, State, TaskError, TaskErrorKind};
use tokio::sync::oneshot;

use super::{
    dead::{Reason, bury_letter},
    desk::{Desk, count},
    hand::{Hand, Held},
    job_records::record,
    results::Sent,
};
use crate::{
    telemetry::{self, End},
    wire::{Ended, Envelope},
};

/// Sends the result of a task. Whether the task is dealt with; `None` when that will be seen to
/// once it is known.
pub(super) async fn finish(desk: &Arc<Desk>, hand: &Arc<Hand>, outcome: &Outcome) -> Option<bool> {
    let reason = Reason::of(outcome);
    if hand.envelope.detached || reason.is_some() {
        return Some(Box::pin(finish_in_steps(desk, hand, outcome, reason)).await);
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

/// Sends the result of a task, and then writes its end to where else it belongs. Whether the task
/// is dealt with.
pub(super) async fn finish_in_steps(
    desk: &Arc<Desk>,
    hand: &Arc<Hand>,
    outcome: &Outcome,
    reason: Option<Reason>,
) -> bool {
    announce_end(desk, hand, outcome).await;
    if !send_result(desk, hand, outcome).await {
        return false;
    }
    if hand.envelope.detached && !record(desk, hand, outcome.state(), Some(outcome.clone())).await {
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
    desk.hands.note_settled(hand);
}

/// Sends the result until it is confirmed; `false` when the worker was closed before.
pub(super) async fn send_result(desk: &Desk, hand: &Hand, outcome: &Outcome) -> bool {
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

/// Lets a task go, once it is known whether it is dealt with.
pub(super) fn conclude(desk: &Desk, hand: &Hand, dealt: bool) {
    if dealt {
        desk.hands.let_go(hand);
    } else {
        desk.hands.drop_unsettled(hand);
    }
}

/// All that is logged of an error by default: its words may repeat arguments.
pub(super) fn kind(error: &TaskError) -> &'static str {
    error.kind().name()
}
