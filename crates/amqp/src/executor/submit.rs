//! Handing one task over.

use std::sync::Arc;

use outwork_core::{
    NoRoom, Refusal, Rejection, SubmitError, SubmitErrorKind, Task, TaskError, TaskErrorKind,
    TaskHandle, blocking::awaiting,
};
use tokio::sync::oneshot;

use super::{
    cell::{Cell, NewCell},
    checked::{Checked, Parcel},
    client::Client,
};
use crate::{
    publisher::{PublishError, PublishErrorKind},
    wire::Envelope,
};

impl Client {
    pub(super) async fn submit(self: &Arc<Self>, task: Task) -> Result<TaskHandle, SubmitError> {
        let checked = match self.check(&task, false) {
            Ok(checked) => checked,
            Err(refusal) => return Err(refusal.with_task(task)),
        };
        if let Err(refusal) = self.enter(&task).await {
            return Err(refusal.with_task(task));
        }
        self.submit_entered(task, checked).await
    }

    /// Takes a place, waiting for one.
    pub(super) async fn enter(&self, task: &Task) -> Result<(), Refusal> {
        match self.admission.try_enter() {
            Err(NoRoom::Full) => {}
            entered => return entered.map_err(|_closed| Refusal::closed()),
        }
        self.check_free(task, 1)?;
        let acquired = awaiting(self.id, self.admission.acquire()).await;
        acquired.map(|slot| slot.entrust()).map_err(|_closed| Refusal::closed())
    }

    /// Submits a task that has its place.
    pub(super) async fn submit_entered(
        self: &Arc<Self>,
        task: Task,
        checked: Checked,
    ) -> Result<TaskHandle, SubmitError> {
        match self.send(&task, checked).await {
            Ok(sent) => sent.confirmed().await.map_err(|refusal| refusal.with_task(task)),
            Err(refusal) => Err(refusal.with_task(task)),
        }
    }

    /// Gives a task to the publisher; the answer tells what became of it.
    pub(super) async fn send(
        self: &Arc<Self>,
        task: &Task,
        checked: Checked,
    ) -> Result<Sent, Refusal> {
        let cell = self.enroll(task, &checked, false)?;
        let (tell, answer) = oneshot::channel();
        let told = Arc::clone(&cell);
        let done = move |published| {
            // Who submitted it may have gone: then it runs detached, or is forgotten.
            let _ = tell.send(told.published(published));
        };
        let handed_over = match checked.parcel {
            Parcel::Message(outgoing) => self.publisher.hand_over(*outgoing, done).await,
            Parcel::Gathered { give_up } => {
                self.chunks.hand_over(task.clone(), checked.envelope, give_up, done);
                Ok(())
            }
        };
        match handed_over {
            Ok(()) => Ok(Sent { cell, answer }),
            Err(error) => {
                cell.withdraw();
                Err(refusal(&error))
            }
        }
    }

    pub(super) fn try_submit(self: &Arc<Self>, task: Task) -> Result<TaskHandle, SubmitError> {
        let sent = self.check(&task, false).and_then(|checked| {
            self.admission.try_enter().map_err(|reason| self.no_room(reason))?;
            self.send_now(&task, checked)
        });
        sent.map_err(|refusal| refusal.with_task(task))
    }

    fn send_now(self: &Arc<Self>, task: &Task, checked: Checked) -> Result<TaskHandle, Refusal> {
        let cell = self.enroll(task, &checked, true)?;
        let told = Arc::clone(&cell);
        let done = move |published| {
            if let Err(error) = published {
                told.end_here(rejected(&error));
            } else {
                told.accept();
            }
        };
        let handed_over = match checked.parcel {
            Parcel::Message(outgoing) => self.publisher.try_hand_over(*outgoing, done),
            Parcel::Gathered { give_up } => {
                self.chunks.hand_over(task.clone(), checked.envelope, give_up, done);
                Ok(true)
            }
        };
        match handed_over {
            Ok(true) => Ok(TaskHandle::new(cell)),
            Ok(false) => {
                cell.take_back();
                Err(Refusal::full(self.admission.limit()))
            }
            Err(error) => {
                cell.take_back();
                Err(refusal(&error))
            }
        }
    }

    pub(super) fn no_room(&self, reason: NoRoom) -> Refusal {
        match reason {
            NoRoom::Closed => Refusal::closed(),
            NoRoom::Full => Refusal::full(self.admission.limit()),
        }
    }

    /// Refuses early, before waiting for room, what would be refused afterwards.
    pub(super) fn check_free(&self, task: &Task, more: u32) -> Result<(), Refusal> {
        if self.live.contains(task.id()) {
            return Err(duplicate(task));
        }
        let limit = task.options().max_instances;
        limit.map_or(Ok(()), |limit| self.instances.check(task, limit, more))
    }

    /// Reserves what the task needs beside its place, which is given back when it is refused.
    fn enroll(
        self: &Arc<Self>,
        task: &Task,
        checked: &Checked,
        promised: bool,
    ) -> Result<Arc<Cell>, Refusal> {
        let limit = task.options().max_instances;
        let instance = limit.map(|limit| self.instances.reserve(task, limit)).transpose();
        let instance = instance.inspect_err(|_refusal| self.admission.leave())?;
        let Envelope { id, submitted, failures, .. } = checked.envelope;
        let (name, queue) = (checked.envelope.name.clone(), checked.envelope.queue.clone());
        let new = NewCell { id, name, queue, submitted, failures, instance, promised };
        let cell = Cell::new(self, new);
        if !self.live.insert(&cell) {
            self.admission.leave();
            return Err(duplicate(task));
        }
        // Looked at after the task can be seen: whoever stops the executor either is seen here
        // or sees the task.
        if self.admission.is_closed() {
            cell.take_back();
            return Err(Refusal::closed());
        }
        Ok(cell)
    }
}

/// A task that the publisher has.
pub(super) struct Sent {
    cell: Arc<Cell>,
    answer: oneshot::Receiver<Result<(), Refusal>>,
}

impl Sent {
    /// Waits for the broker's word.
    pub(super) async fn confirmed(self) -> Result<TaskHandle, Refusal> {
        match self.answer.await {
            Ok(Ok(())) => Ok(TaskHandle::new(self.cell)),
            Ok(Err(refusal)) => Err(refusal),
            // The publisher tells each message what became of it, unless its thread is gone.
            Err(_) => {
                self.cell.withdraw();
                Err(Refusal::closed())
            }
        }
    }
}

impl Cell {
    /// Notes what became of the message. A task whose worker was heard of was accepted,
    /// whatever became of the confirmation.
    fn published(self: &Arc<Self>, published: Result<(), PublishError>) -> Result<(), Refusal> {
        match published {
            Err(error) if self.withdraw() => Err(refusal(&error)),
            Ok(()) | Err(_) => {
                self.accept();
                Ok(())
            }
        }
    }
}

fn duplicate(task: &Task) -> Refusal {
    let message = format!("a task with the id {} is alive already", task.id());
    Refusal::new(SubmitErrorKind::DuplicateId, message)
}

fn refusal(error: &PublishError) -> Refusal {
    let kind = match error.kind() {
        PublishErrorKind::Refused => SubmitErrorKind::Full,
        PublishErrorKind::TooLarge => SubmitErrorKind::TooLarge,
        PublishErrorKind::Unconfirmed => SubmitErrorKind::Unconfirmed,
        PublishErrorKind::Closed => return Refusal::closed(),
        PublishErrorKind::Returned | PublishErrorKind::NotSent => SubmitErrorKind::Infrastructure,
    };
    Refusal::new(kind, error.to_string())
}

fn rejected(error: &PublishError) -> TaskError {
    let kind = match error.kind() {
        PublishErrorKind::Closed => TaskErrorKind::Rejected(Rejection::Closed),
        _ => TaskErrorKind::Infrastructure,
    };
    TaskError::new(kind, error.to_string())
}

impl Client {
    /// Publishes a task that nobody here waits for.
    pub(super) async fn publish_detached(&self, checked: Checked) -> Result<(), Refusal> {
        let Parcel::Message(outgoing) = checked.parcel else { return Err(Refusal::closed()) };
        let published = self.publisher.publish(*outgoing).await;
        published.map_err(|error| refusal(&error))
    }
}
