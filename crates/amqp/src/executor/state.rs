//! Asking how it is with a task that is no job, and answering.

use std::{sync::Arc, time::Duration};

use lapin::types::ShortString;
use outwork_core::{State, TaskId};
use tokio::sync::{mpsc, oneshot};

use super::{AmqpExecutor, JobStatus, client::Client, jobs::closed};
use crate::{
    connection::{ConnectError, ConnectErrorKind},
    publisher::{Outgoing, PublishErrorKind},
    topology::Prefix,
    wire::{Control, JobRecord, StatusQuestion},
};

/// How long the answers of workers and clients are waited for.
const ANSWERS: Duration = Duration::from_secs(1);

impl AmqpExecutor {
    /// What is known of a task, whoever has submitted it, and how: of a detached job what is
    /// kept of it, of another task what the worker says that has it and the client that waits
    /// for it. Nothing when neither is there any more; a client remembers its last 1024 ends.
    ///
    /// # Errors
    ///
    /// When the broker cannot be reached, or its stream of jobs cannot be read.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn status_of(&self, id: TaskId) -> Result<Option<JobStatus>, ConnectError> {
        if let Some(job) = self.job(id).await? {
            return Ok(Some(job));
        }
        let (tell, told) = oneshot::channel();
        let client = Arc::clone(&self.client);
        self.client.runtime.spawn(async move {
            // Who asked may have gone.
            let _ = tell.send(client.ask_state(id).await);
        });
        told.await.unwrap_or_else(|_| Err(closed()))
    }
}

impl Client {
    async fn ask_state(&self, id: TaskId) -> Result<Option<JobStatus>, ConnectError> {
        let mut answers = self.states.expect(id);
        let asked = self.send_question(id).await;
        let mut best = None;
        if asked.is_ok() {
            // What has been heard when the time is up is the answer.
            let _ = tokio::time::timeout(ANSWERS, gather(&mut answers, &mut best)).await;
        }
        drop(answers);
        self.states.tidy(id);
        asked.map(|()| best.map(JobStatus::from))
    }

    /// Asks the workers, and all who have submitted something.
    async fn send_question(&self, id: TaskId) -> Result<(), ConnectError> {
        let reply_to = self.replies.as_str().to_owned();
        let question = Control::Status(StatusQuestion { id, reply_to });
        self.tell_clients(&question).await?;
        let (exchange, key) = (self.options.names().log_exchange(), ShortString::from("ctl"));
        self.tell(&question, exchange, key).await
    }

    /// Tells all clients of the broker.
    pub(super) async fn tell_clients(&self, what: &Control) -> Result<(), ConnectError> {
        self.tell(what, self.options.names().reply_exchange(), Prefix::all_clients()).await
    }

    async fn tell(
        &self,
        what: &Control,
        exchange: ShortString,
        key: ShortString,
    ) -> Result<(), ConnectError> {
        let failed = |why: String| {
            let message = format!("nobody can be asked or told: {why}");
            ConnectError::new(ConnectErrorKind::Broker, message)
        };
        let (properties, body) = what.encode().map_err(|error| failed(error.to_string()))?;
        let give_up = Some(std::time::Instant::now() + self.options.confirm_limit());
        let outgoing = Outgoing { exchange, key, properties, body, give_up };
        match self.publisher.publish(outgoing).await {
            // There is nobody.
            Err(error) if error.kind() == PublishErrorKind::Returned => Ok(()),
            told => told.map_err(|error| failed(error.to_string())),
        }
    }

    /// Tells how it is with a task that was submitted here.
    pub(super) fn answer_state(&self, question: &StatusQuestion) {
        let alive = self.live.get(question.id).map(|cell| cell.record());
        let Some(record) = alive.or_else(|| self.recent.get(question.id)) else { return };
        if !self.options.names().is_reply_queue(&question.reply_to) {
            return;
        }
        let Ok(key) = ShortString::try_new(question.reply_to.as_str()) else { return };
        match record.encode() {
            Ok((properties, body)) => {
                let exchange = self.options.names().reply_exchange();
                let outgoing = Outgoing { exchange, key, properties, body, give_up: None };
                // Who asked and has gone needs no answer; who is told too late asks again.
                let _ = self.publisher.try_hand_over(outgoing, drop);
            }
            Err(error) => tracing::warn!(%error, "an answer cannot be written"),
        }
    }
}

/// Hears answers until one cannot be outdone; the furthest of them.
async fn gather(answers: &mut mpsc::UnboundedReceiver<JobRecord>, best: &mut Option<JobRecord>) {
    let outdone = |best: &Option<JobRecord>, state| {
        best.as_ref().is_none_or(|best| rank(best.state) < rank(state))
    };
    while let Some(answer) = answers.recv().await {
        if outdone(best, answer.state) {
            *best = Some(answer);
        }
        if best.as_ref().is_some_and(|best| rank(best.state) > 0) {
            return;
        }
    }
}

/// How far a state is.
const fn rank(state: State) -> u8 {
    match state {
        State::Pending => 0,
        State::Running => 1,
        State::Succeeded | State::Failed | State::Cancelled | State::TimedOut | State::Lost => 2,
    }
}
