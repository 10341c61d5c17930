//! Reading the pool's events, for those who wait elsewhere.

use std::{sync::Arc, time::Duration};

use outwork_core::{EventKind, EventStream, State, TaskEvent};
use tokio::sync::{mpsc, oneshot};

use super::{desk::Desk, hand::Hand, settle::record};
use crate::wire::RemoteEvent;

/// A start that nobody waits for is told when the task has run for so long. Most have ended by
/// then, and an event for each start would cost more than many a task.
const WORTH_TELLING: Duration = Duration::from_millis(100);

/// Reads the pool's events until the worker ends.
///
/// Whoever asks by `sync` is answered once everything that was told before is dealt with.
pub(super) async fn watch(
    desk: Arc<Desk>,
    mut events: EventStream,
    mut sync: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
) {
    loop {
        tokio::select! {
            biased;
            event = events.next() => match event {
                Some(Ok(event)) => handle(&desk, event).await,
                Some(Err(lagged)) => tracing::warn!(%lagged, "the pool's events came too fast"),
                None => break,
            },
            asked = sync.recv() => match asked {
                // Who asked may have gone.
                Some(asked) => drop(asked.send(())),
                None => return,
            },
        }
    }
    // The pool has stopped: nothing more will be told.
    while let Some(asked) = sync.recv().await {
        let _ = asked.send(());
    }
}

async fn handle(desk: &Arc<Desk>, event: TaskEvent) {
    let Some(hand) = desk.find_in_pool(event.task_id) else { return };
    match event.kind {
        EventKind::Started { .. } => {
            tracing::info!(
                task_id = %hand.envelope.id, task_name = %hand.envelope.name,
                attempt = hand.attempt(), "started"
            );
            hand.note_start();
            tell_start(desk, hand).await;
        }
        EventKind::Progress(progress) => {
            hand.announce();
            hand.put_out(RemoteEvent::Progress { attempt: hand.attempt(), progress });
            desk.send_outbox(&hand).await;
        }
        EventKind::Submitted
        | EventKind::CancelRequested
        | EventKind::Retrying { .. }
        | EventKind::Finished { .. } => {}
    }
}

async fn tell_start(desk: &Arc<Desk>, hand: Arc<Hand>) {
    if hand.envelope.watched {
        hand.announce();
        return desk.send_outbox(&hand).await;
    }
    let desk = Arc::clone(desk);
    tokio::spawn(async move {
        tokio::time::sleep(WORTH_TELLING).await;
        let still_runs =
            desk.find_in_pool(hand.envelope.id).is_some_and(|h| Arc::ptr_eq(&h, &hand));
        if !still_runs {
            return;
        }
        hand.announce();
        desk.send_outbox(&hand).await;
        if hand.envelope.detached {
            record(&desk, &hand, State::Running, None).await;
        }
    });
}
