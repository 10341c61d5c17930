//! [`Mailbox`]: where the attempts of one task arrive.

use std::{
    collections::HashMap,
    future::{Future, poll_fn},
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use async_channel::{Receiver, Sender};
use outwork_core::{TaskHandle, TaskId, engine::Attempt};

/// Where attempts arrive, by their tasks.
#[derive(Default)]
pub(super) struct Mailboxes {
    open: Mutex<HashMap<TaskId, Open>>,
}

/// Callers that submit tasks of the same id at once share a mailbox. All but one of the tasks
/// are refused; nobody can know before which.
struct Open {
    send: Sender<Attempt>,
    attempts: Receiver<Attempt>,
    callers: usize,
}

/// Where the attempts of one task arrive. Taken down when dropped.
pub(super) struct Mailbox<'a> {
    mailboxes: &'a Mailboxes,
    id: TaskId,
    attempts: Receiver<Attempt>,
}

impl Mailboxes {
    pub(super) fn open(&self, id: TaskId) -> Mailbox<'_> {
        let mut open = self.lock();
        let mailbox = open.entry(id).or_insert_with(|| {
            let (send, attempts) = async_channel::unbounded();
            Open { send, attempts, callers: 0 }
        });
        mailbox.callers += 1;
        Mailbox { mailboxes: self, id, attempts: mailbox.attempts.clone() }
    }

    pub(super) fn send(&self, attempt: Attempt) {
        let send = self.lock().get(&attempt.key().task_id).map(|mailbox| mailbox.send.clone());
        if let Some(send) = send {
            // Nobody there to receive it: it is dropped, and resolves so.
            let _ = send.try_send(attempt);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TaskId, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mailbox<'_> {
    /// The next attempt of the task, or `None` once it has ended.
    pub(super) async fn next(&self, handle: &mut TaskHandle) -> Option<Attempt> {
        let mut ended = pin!(handle.ended());
        let mut attempt = pin!(self.attempts.recv());
        poll_fn(|cx| {
            // An attempt that arrives after the end is that of another caller.
            if ended.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            attempt.as_mut().poll(cx).map(Result::ok)
        })
        .await
    }
}

impl Drop for Mailbox<'_> {
    fn drop(&mut self) {
        let mut open = self.mailboxes.lock();
        let Some(mailbox) = open.get_mut(&self.id) else { return };
        mailbox.callers -= 1;
        let last = if mailbox.callers == 0 { open.remove(&self.id) } else { None };
        drop(open);
        // An attempt that was not taken is dropped with it, which may start another.
        drop(last);
    }
}
