//! Cancelling tasks that may be anywhere.
//!
//! The broker cannot take one message out of a queue. So a tombstone goes over the stream of
//! control, which every worker reads before it fetches anything: whoever would start the task
//! from then on does not.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use lapin::types::ShortString;
use outwork_core::{Cancel, State, TaskId};
use tokio::sync::{mpsc, oneshot};

use super::{
    cell::{Cell, StopReason},
    client::Client,
};
use crate::{
    publisher::Outgoing,
    topology::QueueName,
    wire::{CancelAck, Control, InHand, Millis, Running, Tombstone, now},
};

/// How long a caller waits to be told more than that the wish is on its way.
const ANSWER: Duration = Duration::from_secs(1);

/// How long the answers of the workers are waited for in the background.
const BACKGROUND: Duration = Duration::from_secs(60);

/// How long to wait for answers before it is asked again how many there are to be.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// What came of a tombstone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Buried {
    /// Nobody has the task, and nobody will start it.
    Nowhere,
    /// A worker has it and sees to its end.
    InHand,
    /// Not everybody has answered.
    Unknown,
}

/// What is to be buried.
#[derive(Debug, Clone)]
struct Grave {
    id: TaskId,
    until: Millis,
    queue: Option<QueueName>,
    running: Running,
}

impl Grave {
    fn tombstone(&self, reply_to: Option<String>) -> Tombstone {
        let Self { id, until, queue, running } = self.clone();
        Tombstone { id, until, queue, reply_to, running }
    }
}

impl Client {
    pub(super) async fn cancel(self: &Arc<Self>, id: TaskId, running: Running) -> Cancel {
        match self.live.get(id).filter(|cell| cell.is_promised()) {
            Some(cell) => self.cancel_cell(&cell, running).await,
            None => Cancel::NotFound,
        }
    }

    /// Cancels for a caller who does not wait.
    pub(super) fn cancel_in_background(cell: Arc<Cell>) -> Cancel {
        match cell.wish_stop(StopReason::Cancel, Running::Ask) {
            None => Cancel::NotFound,
            Some(false) => Cancel::Requested,
            Some(true) => {
                Self::bury_cell(&cell, Running::Ask);
                Cancel::Requested
            }
        }
    }

    async fn cancel_cell(self: &Arc<Self>, cell: &Arc<Cell>, running: Running) -> Cancel {
        match cell.wish_stop(StopReason::Cancel, running) {
            None => return Cancel::NotFound,
            Some(false) => return Cancel::Requested,
            Some(true) => {}
        }
        let answer = Self::bury_cell(cell, running);
        // Awaited on whatever thread the caller has, so it is the other side that has the clock.
        match answer.await {
            Ok(Buried::Nowhere) => Cancel::Confirmed,
            Ok(Buried::InHand | Buried::Unknown) | Err(_) => Cancel::Requested,
        }
    }

    /// Asks all tasks to stop: first those that wait, so that none of them starts in the place
    /// of one that stops.
    pub(super) async fn cancel_all(self: &Arc<Self>) -> usize {
        let cells = self.live.all().into_iter().filter(|cell| cell.is_promised());
        let (running, waiting): (Vec<_>, Vec<_>) = cells.partition(|cell| cell.is_running());
        let cells: Vec<_> = waiting.into_iter().chain(running).collect();
        let asked = cells.iter().map(|cell| self.cancel_cell(cell, Running::Ask));
        let answers = join_all(asked).await;
        answers.into_iter().filter(|answer| *answer != Cancel::NotFound).count()
    }

    /// Sends the tombstone of a task and sees to what comes of it; tells what is known soon.
    pub(super) fn bury_cell(cell: &Arc<Cell>, running: Running) -> oneshot::Receiver<Buried> {
        let (tell, told) = oneshot::channel();
        let (client, cell) = (Arc::clone(&cell.client), Arc::clone(cell));
        let runtime = client.runtime.clone();
        runtime.spawn(async move {
            let grave = Grave {
                id: cell.id,
                until: cell.submitted,
                queue: Some(cell.queue.clone()),
                running,
            };
            let mut tell = Some(tell);
            let soon = tokio::time::sleep(ANSWER);
            let burying = client.bury(&grave);
            tokio::pin!(soon, burying);
            let buried = tokio::select! {
                buried = &mut burying => buried,
                () = &mut soon => {
                    // The caller may not wait for it.
                    let _ = tell.take().map(|tell| tell.send(Buried::Unknown));
                    burying.await
                }
            };
            let buried = client.conclude_burial(&cell, buried);
            let _ = tell.map(|tell| tell.send(buried));
        });
        told
    }

    /// What the answers of the workers mean for the task.
    fn conclude_burial(&self, cell: &Arc<Cell>, buried: Buried) -> Buried {
        match buried {
            Buried::Nowhere if cell.state_now() == State::Running => Buried::InHand,
            Buried::Nowhere if cell.cancelled_before_start() => Buried::Nowhere,
            Buried::Nowhere => Buried::InHand,
            Buried::InHand | Buried::Unknown => buried,
        }
    }

    /// Sends a tombstone, and waits for the answers of all who could have the task.
    async fn bury(&self, grave: &Grave) -> Buried {
        let mut acks = self.acks.expect(grave.id);
        let buried = tokio::time::timeout(BACKGROUND, async {
            if !self.send_tombstone(grave).await {
                return Buried::Unknown;
            }
            match &grave.queue {
                Some(queue) => self.gather(queue, &mut acks).await,
                None => Buried::Unknown,
            }
        });
        let buried = buried.await.unwrap_or(Buried::Unknown);
        drop(acks);
        self.acks.tidy(grave.id);
        buried
    }

    /// Waits until one worker has the task, or none of all that there are.
    ///
    /// The broker counts a consumer that was stopped for as long as something of it is not
    /// acknowledged, so it is asked again. It counts none of a worker that is about to
    /// consume again, or to connect again, and has the task, so it is asked again as well when
    /// there is nobody.
    async fn gather(
        &self,
        queue: &QueueName,
        acks: &mut mpsc::UnboundedReceiver<CancelAck>,
    ) -> Buried {
        let known = self.heard_of(queue);
        let mut answered = HashSet::new();
        let mut asked_before = false;
        loop {
            let Some(consumers) = self.consumers_of(queue).await else { return Buried::Unknown };
            let asked = Instant::now();
            loop {
                let all = known.iter().all(|instance| answered.contains(instance));
                let sure = asked_before || !answered.is_empty();
                if sure && all && answered.len() >= consumers as usize {
                    return Buried::Nowhere;
                }
                let left = ASK_AGAIN.saturating_sub(asked.elapsed());
                match tokio::time::timeout(left, acks.recv()).await {
                    Ok(Some(ack)) if ack.in_hand == InHand::Yes => return Buried::InHand,
                    Ok(Some(ack)) => answered.insert(ack.from.instance),
                    Ok(None) => return Buried::Unknown,
                    Err(_) => break,
                };
            }
            asked_before = true;
        }
    }

    async fn send_tombstone(&self, grave: &Grave) -> bool {
        let id = grave.id;
        let tombstone = grave.tombstone(Some(self.replies.as_str().to_owned()));
        let (properties, body) = match Control::Cancel(tombstone).encode() {
            Ok(encoded) => encoded,
            Err(error) => {
                tracing::error!(%error, "a tombstone cannot be written");
                return false;
            }
        };
        let outgoing = Outgoing {
            exchange: self.options.names().log_exchange(),
            key: ShortString::from("ctl"),
            properties,
            body,
            give_up: None,
        };
        let sent = self.publisher.publish(outgoing).await;
        sent.inspect_err(|error| tracing::error!(%error, %id, "a tombstone was not sent")).is_ok()
    }

    /// Tells whoever has submitted a task that somebody else cancels it. Its handle is to resolve
    /// now, and not when a worker comes upon the task.
    async fn tell_submitter(&self, grave: &Grave) {
        let told = self.tell_clients(&Control::Cancel(grave.tombstone(None))).await;
        if let Err(error) = told {
            // Then it is told of the end when the turn of its task has come.
            tracing::warn!(%error, id = %grave.id, "who waits for a task was not told of its end");
        }
    }

    /// Cancels a task that another process submitted.
    pub(super) async fn cancel_elsewhere(
        self: &Arc<Self>,
        id: TaskId,
        queue: Option<QueueName>,
    ) -> Cancel {
        let queue = Some(queue.unwrap_or_else(|| self.settings.queue.clone()));
        let (tell, told) = oneshot::channel();
        let client = Arc::clone(self);
        self.runtime.spawn(async move {
            // A time of its own: what is submitted from here on is not meant.
            let until = client.stamps.next(id, now());
            let grave = Grave { id, until, queue, running: Running::Ask };
            client.tell_submitter(&grave).await;
            let buried = tokio::time::timeout(5 * ANSWER, client.bury(&grave)).await;
            // The caller may have gone.
            let _ = tell.send(buried.unwrap_or(Buried::Unknown));
        });
        match told.await {
            Ok(Buried::Nowhere) => Cancel::Confirmed,
            Ok(Buried::InHand | Buried::Unknown) | Err(_) => Cancel::Requested,
        }
    }
}
