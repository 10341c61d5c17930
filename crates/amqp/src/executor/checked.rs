//! [`Checked`]: a task that was found good, and written as far as it can be.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use outwork_core::{Refusal, SubmitErrorKind, Task};

use super::{chunks::may_gather, client::Client};
use crate::{
    publisher::Outgoing,
    topology::{LONGEST, QueueName},
    wire::{Envelope, Millis, TaskMessage, now},
};

/// A task that was found good.
pub(super) struct Checked {
    pub(super) envelope: Envelope,
    pub(super) parcel: Parcel,
}

/// The form that a task is handed over in.
pub(super) enum Parcel {
    /// The message that it becomes.
    Message(Box<Outgoing>),
    /// It is written once it is known which others go with it, before this time.
    Gathered { give_up: Instant },
}

impl Client {
    /// Refuses what can be seen to be wrong without having taken anything, and writes the rest.
    pub(super) fn check(&self, task: &Task, is_one_of_many: bool) -> Result<Checked, Refusal> {
        if self.admission.is_closed() {
            return Err(Refusal::closed());
        }
        let reply_to = Some(Arc::clone(&self.reply_to));
        let bulk = is_one_of_many || task.options().bulk;
        if bulk && may_gather(task, self.options.payload_limit()) {
            let envelope = self.envelope(task, reply_to, false)?;
            return Ok(Checked {
                envelope,
                parcel: Parcel::Gathered { give_up: self.confirmed_by() },
            });
        }
        self.checked(task, reply_to, false)
    }

    /// Writes a task as a message.
    pub(super) fn checked(
        &self,
        task: &Task,
        reply_to: Option<Arc<str>>,
        detached: bool,
    ) -> Result<Checked, Refusal> {
        let envelope = self.envelope(task, reply_to, detached)?;
        let body = self.body(task)?;
        let waits = task.options().delay.unwrap_or_default();
        let outgoing = self.message(&envelope, waits, body, self.confirmed_by());
        Ok(Checked { envelope, parcel: Parcel::Message(Box::new(outgoing)) })
    }

    /// What the headers of a task's message say.
    fn envelope(
        &self,
        task: &Task,
        reply_to: Option<Arc<str>>,
        detached: bool,
    ) -> Result<Envelope, Refusal> {
        let options = task.options();
        options.check()?;
        self.settings.check_files(options)?;
        let waits = options.delay.unwrap_or_default();
        if waits.saturating_add(options.expires.unwrap_or_default()) > LONGEST {
            let message = format!("delay and expires are more than {LONGEST:?} together");
            return Err(invalid(message));
        }
        let queue = match &options.queue {
            Some(queue) => QueueName::new(queue).map_err(|error| invalid(error.to_string()))?,
            None => self.settings.queue.clone(),
        };
        let submitted = self.stamps.next(task.id(), now());
        let after = |time: Duration| submitted.saturating_add(millis(time));
        Ok(Envelope {
            id: task.id(),
            name: task.name().clone(),
            submitted,
            failures: task.attempts_made(),
            losses: 0,
            not_before: options.delay.filter(|delay| !delay.is_zero()).map(after),
            not_after: options.expires.map(after),
            queue,
            reply_to,
            watched: self.hub.is_active(),
            detached,
            schema: task.payload().schema(),
            trace: options.trace.clone(),
        })
    }

    /// The body of a task's message.
    pub(super) fn body(&self, task: &Task) -> Result<Bytes, Refusal> {
        let body = TaskMessage::body(task).map_err(|error| invalid(error.to_string()))?;
        let (size, limit) = (body.len(), self.options.payload_limit());
        if size > limit {
            let message = format!("task {} has {size} bytes, and {limit} are allowed", task.id());
            return Err(Refusal::new(SubmitErrorKind::TooLarge, message));
        }
        Ok(body)
    }

    /// A message to a queue, or to the rung of the ladder that its delay begins at.
    pub(super) fn message(
        &self,
        envelope: &Envelope,
        waits: Duration,
        body: Bytes,
        give_up: Instant,
    ) -> Outgoing {
        let (exchange, key) = self.options.names().way(&envelope.queue, waits);
        Outgoing { exchange, key, properties: envelope.properties(), body, give_up: Some(give_up) }
    }

    /// When a message is given up that is written now.
    fn confirmed_by(&self) -> Instant {
        Instant::now() + self.options.confirm_limit()
    }
}

pub(super) fn invalid(message: String) -> Refusal {
    Refusal::new(SubmitErrorKind::InvalidOptions, message)
}

fn millis(time: Duration) -> Millis {
    Millis::try_from(time.as_millis()).unwrap_or(Millis::MAX)
}
