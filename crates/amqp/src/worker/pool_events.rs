//! [`PoolEvents`]: what the pool tells of its tasks.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures_util::Stream;
use outwork_core::{EventFilter, EventKind, EventStream, Executor, Lagged, State, TaskEvent};
use tokio::time::MissedTickBehavior;

use super::{desk::Desk, hand::Hand, job_records::record, settled::Key};
use crate::{lock::lock, wire::RemoteEvent};

/// A start that nobody waits for is told when the task has run for so long. Most have ended by
/// then, and an event for each start would cost more than many a task.
const WORTH_TELLING: Duration = Duration::from_millis(100);

/// How often it is looked whether one has.
const LOOK: Duration = Duration::from_millis(25);

/// How many events of the pool may wait to be read.
const EVENTS: usize = 16 * 1024;

/// What the pool tells of its tasks. Whoever has to know everything that was told reads what is
/// there; what nobody asks for is read by [`follow`].
pub(super) struct PoolEvents(Mutex<Reader>);

struct Reader {
    events: EventStream,
    /// Starts that no client was told of, in their order.
    untold: VecDeque<(Instant, Key)>,
    /// Tasks with events that a client is to be told of at once.
    due: Vec<Arc<Hand>>,
}

impl PoolEvents {
    pub(super) fn of(pool: &dyn Executor) -> Self {
        let room = EVENTS.try_into().unwrap_or(std::num::NonZeroUsize::MIN);
        let events = pool.events(EventFilter::all().while_running().capacity(room));
        Self(Mutex::new(Reader { events, untold: VecDeque::new(), due: Vec::new() }))
    }

    /// Puts everything that was told before into the outboxes of the tasks.
    pub(super) fn read(&self, desk: &Desk) {
        let mut reader = lock(&self.0);
        // What was told before fits into the room; a body that goes on telling is not followed.
        for _ in 0..EVENTS {
            let Some(event) = reader.events.try_next() else { return };
            reader.note(desk, event);
        }
    }

    /// Reads what comes, until something is due, or until it has changed whether there are
    /// `untold` starts. `None` when the pool has stopped.
    fn poll_due(
        &self,
        desk: &Desk,
        untold: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Vec<Arc<Hand>>>> {
        let mut reader = lock(&self.0);
        for _ in 0..EVENTS {
            match Pin::new(&mut reader.events).poll_next(cx) {
                Poll::Ready(Some(event)) => reader.note(desk, event),
                Poll::Ready(None) if reader.due.is_empty() => return Poll::Ready(None),
                Poll::Ready(None) => break,
                Poll::Pending if reader.due.is_empty() && reader.has_untold() == untold => {
                    return Poll::Pending;
                }
                Poll::Pending => break,
            }
        }
        Poll::Ready(Some(std::mem::take(&mut reader.due)))
    }

    fn has_untold(&self) -> bool {
        lock(&self.0).has_untold()
    }

    /// Starts that were worth telling some time ago. Most of the tasks have ended.
    fn long_untold(&self) -> Vec<Key> {
        let mut reader = lock(&self.0);
        let is_long = |(at, _): &mut (Instant, Key)| at.elapsed() >= WORTH_TELLING;
        std::iter::from_fn(|| reader.untold.pop_front_if(is_long)).map(|(_, key)| key).collect()
    }
}

impl Reader {
    fn has_untold(&self) -> bool {
        !self.untold.is_empty()
    }

    fn note(&mut self, desk: &Desk, event: Result<TaskEvent, Lagged>) {
        let event = match event {
            Ok(event) => event,
            Err(lagged) => return tracing::warn!(%lagged, "the pool's events came too fast"),
        };
        let Some(hand) = desk.hands.find_in_pool(event.task_id) else { return };
        match event.kind {
            EventKind::Started { .. } => {
                tracing::info!(
                    task_id = %hand.envelope.id, task_name = %hand.envelope.name,
                    attempt = hand.attempt(), "started"
                );
                let now = Instant::now();
                hand.note_start(now);
                if hand.envelope.watched {
                    hand.announce();
                    self.due.push(hand);
                } else {
                    self.untold.push_back((now, hand.key()));
                }
            }
            EventKind::Progress(progress) => {
                hand.announce();
                hand.put_out(RemoteEvent::Progress { attempt: hand.attempt(), progress });
                self.due.push(hand);
            }
            EventKind::Submitted
            | EventKind::CancelRequested
            | EventKind::Retrying { .. }
            | EventKind::Finished { .. } => {}
        }
    }
}

/// Sends what is due, until the pool has stopped.
pub(super) async fn follow(desk: Arc<Desk>) {
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let untold = desk.events.has_untold();
        tokio::select! {
            biased;
            due = poll_fn(|cx| desk.events.poll_due(&desk, untold, cx)) => match due {
                Some(due) => for hand in due {
                    desk.send_outbox(&hand).await;
                },
                None => return,
            },
            _ = look.tick(), if untold => tell_long(&desk),
        }
    }
}

fn tell_long(desk: &Arc<Desk>) {
    for key in desk.events.long_untold() {
        let still_runs = desk.hands.find_in_pool(key.id()).filter(|hand| hand.key() == key);
        if let Some(hand) = still_runs {
            tokio::spawn(tell_start(Arc::clone(desk), hand));
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
