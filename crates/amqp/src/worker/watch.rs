//! Reading the pool's events, for those who wait elsewhere.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use outwork_core::{EventKind, EventStream, State, TaskEvent};
use tokio::{
    sync::{mpsc, oneshot},
    time::MissedTickBehavior,
};

use super::{desk::Desk, hand::Hand, settle::record, settled::Key};
use crate::wire::RemoteEvent;

/// A start that nobody waits for is told when the task has run for so long. Most have ended by
/// then, and an event for each start would cost more than many a task.
const WORTH_TELLING: Duration = Duration::from_millis(100);

/// How often it is looked whether one has.
const LOOK: Duration = Duration::from_millis(25);

/// Reads the pool's events until the worker ends.
///
/// Whoever asks by `sync` is answered once everything that was told before is dealt with.
pub(super) async fn watch(
    desk: Arc<Desk>,
    mut events: EventStream,
    mut sync: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
) {
    let mut untold = Untold::default();
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            event = events.next() => match event {
                Some(Ok(event)) => handle(&desk, event, &mut untold).await,
                Some(Err(lagged)) => tracing::warn!(%lagged, "the pool's events came too fast"),
                None => break,
            },
            asked = sync.recv() => match asked {
                // Who asked may have gone.
                Some(asked) => drop(asked.send(())),
                None => return,
            },
            _ = look.tick(), if !untold.0.is_empty() => untold.tell_long(&desk),
        }
    }
    // The pool has stopped: nothing more will be told.
    while let Some(asked) = sync.recv().await {
        let _ = asked.send(());
    }
}

async fn handle(desk: &Arc<Desk>, event: TaskEvent, untold: &mut Untold) {
    let Some(hand) = desk.find_in_pool(event.task_id) else { return };
    match event.kind {
        EventKind::Started { .. } => {
            tracing::info!(
                task_id = %hand.envelope.id, task_name = %hand.envelope.name,
                attempt = hand.attempt(), "started"
            );
            hand.note_start();
            if hand.envelope.watched {
                hand.announce();
                desk.send_outbox(&hand).await;
            } else {
                untold.0.push_back((Instant::now(), hand.key()));
            }
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

/// Starts that nobody was told of, in their order.
#[derive(Debug, Default)]
struct Untold(VecDeque<(Instant, Key)>);

impl Untold {
    /// Tells of those that have run for long; most have ended.
    fn tell_long(&mut self, desk: &Arc<Desk>) {
        let is_long = |(at, _): &mut (Instant, Key)| at.elapsed() >= WORTH_TELLING;
        while let Some((_, key)) = self.0.pop_front_if(is_long) {
            let still_runs = desk.find_in_pool(key.id()).filter(|hand| hand.key() == key);
            if let Some(hand) = still_runs {
                tokio::spawn(tell_start(Arc::clone(desk), hand));
            }
        }
    }
}

async fn tell_start(desk: Arc<Desk>, hand: Arc<Hand>) {
    hand.announce();
    desk.send_outbox(&hand).await;
    if hand.envelope.detached {
        record(&desk, &hand, State::Running, None).await;
    }
}
