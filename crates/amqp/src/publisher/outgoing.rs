//! [`Outgoing`]: one message, and who wants to know what became of it.

use std::{fmt, time::Instant};

use bytes::Bytes;
use lapin::{BasicProperties, types::ShortString};

use super::PublishError;
use crate::telemetry;

/// A message with its address.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) exchange: ShortString,
    pub(crate) key: ShortString,
    pub(crate) properties: BasicProperties,
    pub(crate) body: Bytes,
    /// When it is given up; without it, it is tried for as long as there is a publisher.
    pub(crate) give_up: Option<Instant>,
}

/// A message and who wants to know what became of it: told exactly once, on every path.
pub(super) struct Job {
    pub(super) outgoing: Outgoing,
    /// Whether it was ever given to a connection.
    pub(super) sent: bool,
    done: Option<Done>,
}

/// What is called with what became of a message.
pub(super) type Done = Box<dyn FnOnce(Result<(), PublishError>) + Send + Sync>;

impl Job {
    pub(super) fn new(outgoing: Outgoing, done: Done) -> Self {
        Self { outgoing, sent: false, done: Some(done) }
    }

    pub(super) fn tell(mut self, result: Result<(), PublishError>) {
        self.end(result);
    }

    fn end(&mut self, result: Result<(), PublishError>) {
        if let Some(done) = self.done.take() {
            telemetry::told(result.as_ref().copied().map_err(PublishError::kind));
            done(result);
        }
    }

    /// Drops it with nobody told, because its sender is told otherwise.
    pub(super) fn forget(mut self) {
        self.done = None;
    }

    pub(super) fn is_late(&self, now: Instant) -> bool {
        self.outgoing.give_up.is_some_and(|give_up| give_up <= now)
    }

    pub(super) fn give_up(self, blocked: bool) {
        let error = match self.sent {
            true => PublishError::unconfirmed(),
            false => PublishError::not_sent(blocked),
        };
        self.tell(Err(error));
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        let why = if self.sent { PublishError::unconfirmed() } else { PublishError::closed() };
        self.end(Err(why));
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("key", &self.outgoing.key).finish_non_exhaustive()
    }
}
