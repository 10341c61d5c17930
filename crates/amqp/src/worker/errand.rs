//! One task from its delivery to its acknowledgement.

use std::{sync::Arc, time::Duration};

use outwork_core::{
    Outcome, Rejection, Report, State, SubmitError, SubmitErrorKind, TaskError, TaskErrorKind,
    WorkerLost, engine::contain,
};
use tracing::Instrument;

use super::{
    desk::Desk,
    hand::{Hand, Wish},
    settle::settle,
};
use crate::{lock::lock, telemetry, topology::DELIVERY_LIMIT, wire::now};

/// How an attempt ended, as far as this worker is concerned.
#[derive(Debug)]
pub(super) enum Ending {
    Ended(Outcome),
    /// It is not run again, whatever its policy says, and belongs to the dead letters.
    GivenUp(Outcome),
    /// Another worker is to have it, as it was.
    GivenBack,
}

/// How long to wait for an id that the pool has already, before it is asked again.
const ID_IN_USE: Duration = Duration::from_millis(100);

/// Sees to one task: runs it when its time has come, and deals with how it ended.
pub(super) async fn run(desk: &Arc<Desk>, hand: &Arc<Hand>) {
    let span = telemetry::attempt(&hand.envelope);
    let seen_to = async {
        let ending = attempt(desk, hand).await;
        settle(desk, hand, ending).await;
    };
    seen_to.instrument(span).await;
}

/// Gives up a task that has come back from lost workers as often as the broker brings it. The
/// next time it would go to the dead letters with nobody told.
pub(super) async fn give_up(desk: &Arc<Desk>, hand: &Arc<Hand>) {
    let message = format!(
        "it was given up: {DELIVERY_LIMIT} times a worker, or its connection, was lost that had it"
    );
    let error = TaskError::lost(WorkerLost::default(), message);
    let report = Report { attempts: hand.envelope.failures, ..Report::default() };
    let ending = Ending::GivenUp(Outcome::new(Err(error), report));
    settle(desk, hand, ending).instrument(telemetry::attempt(&hand.envelope)).await;
}

async fn attempt(desk: &Arc<Desk>, hand: &Arc<Hand>) -> Ending {
    if lock(&desk.tombstones).covers(&hand.envelope) {
        hand.wish(Wish::Cancel);
    }
    wait_until_due(desk, hand).await;
    if is_expired(hand) {
        let message = "it was still waiting when its time to start had passed";
        return never_ran(hand, TaskErrorKind::Expired, message);
    }
    match hand.hand_over() {
        Wish::Run => {}
        Wish::Cancel => {
            return never_ran(hand, TaskErrorKind::Cancelled, "the task was cancelled");
        }
        Wish::GiveBack => return Ending::GivenBack,
    }
    run_in_pool(desk, hand).await
}

/// Waits for what is left of a delay. Tasks that wait for long do so on the broker.
async fn wait_until_due(desk: &Arc<Desk>, hand: &Hand) {
    let Some(due) = hand.envelope.not_before else { return };
    let mut waiting = None;
    loop {
        let left = u64::try_from(due - now()).unwrap_or(0);
        if left == 0 || hand.wanted() != Wish::Run {
            return;
        }
        waiting.get_or_insert_with(|| desk.begin_waiting());
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(left)) => {}
            () = hand.changed.notified() => {}
        }
    }
}

/// Whether it comes too late for its first attempt; later ones are not bound by it.
fn is_expired(hand: &Hand) -> bool {
    let first = hand.envelope.failures == 0 && hand.wanted() == Wish::Run;
    first && hand.envelope.not_after.is_some_and(|latest| latest < now())
}

fn never_ran(hand: &Hand, kind: TaskErrorKind, message: &str) -> Ending {
    Ending::Ended(Outcome::new(Err(TaskError::new(kind, message)), unstarted(hand)))
}

/// What there is to report of an attempt that did not begin.
fn unstarted(hand: &Hand) -> Report {
    Report { attempts: hand.envelope.failures, ..Report::default() }
}

async fn run_in_pool(desk: &Arc<Desk>, hand: &Arc<Hand>) -> Ending {
    // The gate is the user's, and its panic is to cost one task and not all of its message.
    let mut task = match contain(|| (desk.gate)(hand.task.clone().single_attempt())) {
        Ok(Ok(task)) => task,
        Ok(Err(error)) | Err(error) => {
            return Ending::Ended(Outcome::new(Err(error.permanent()), unstarted(hand)));
        }
    };
    let handle = loop {
        // Never without waiting: whoever came first is to have the place that becomes free.
        match desk.executor.submit(task).await {
            Ok(handle) => break handle,
            Err(error) if error.kind() == SubmitErrorKind::DuplicateId => {
                if hand.wanted() == Wish::GiveBack {
                    return Ending::GivenBack;
                }
                task = error.into_task();
                tokio::time::sleep(ID_IN_USE).await;
            }
            Err(error) => return refused(hand, &error),
        }
    };
    desk.hands.enter_pool(hand);
    // Asked for while the pool had not taken it yet.
    if hand.wanted() != Wish::Run {
        desk.stop_in_pool(hand.envelope.id, false).await;
    }
    let outcome = tokio::select! {
        outcome = handle => Some(outcome),
        () = hand.given_up() => None,
    };
    desk.read_events();
    desk.hands.leave_pool(hand);
    let Some(outcome) = outcome else { return Ending::GivenBack };
    if let Some(time) = outcome.timings().run_time() {
        desk.pace.note_run(time);
    }
    match hand.wanted() {
        Wish::GiveBack if outcome.state() == State::Cancelled => Ending::GivenBack,
        _ => Ending::Ended(outcome),
    }
}

/// What it means that the pool did not take the task.
fn refused(hand: &Hand, error: &SubmitError) -> Ending {
    let rejection = match error.kind() {
        SubmitErrorKind::UnknownTask => Rejection::UnknownTask,
        SubmitErrorKind::Closed => {
            tracing::error!("the worker's pool is shut down, and takes no tasks");
            return Ending::GivenBack;
        }
        SubmitErrorKind::Infrastructure | SubmitErrorKind::Unconfirmed => {
            return never_ran(hand, TaskErrorKind::Infrastructure, &error.to_string());
        }
        _ => Rejection::InvalidMessage,
    };
    never_ran(hand, TaskErrorKind::Rejected(rejection), &error.to_string())
}
