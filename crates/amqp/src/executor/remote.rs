//! [`Question`]: what only the one who has the connection can find out.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::client::Client;
use crate::{
    topology::QueueName,
    wire::{JobRecord, Millis},
};

/// What only the one who has the connection can find out.
#[derive(Debug)]
pub(super) enum Question {
    /// How many workers consume from a queue.
    Consumers { queue: QueueName, answer: oneshot::Sender<Option<u32>> },
    /// All records of a job since a time, and what comes after.
    Jobs { wanted: WantedJobs, answers: mpsc::UnboundedSender<JobNews> },
}

/// Which records are wanted.
#[derive(Debug, Clone)]
pub(super) struct WantedJobs {
    pub(super) id: outwork_core::TaskId,
    pub(super) since: Millis,
    /// A mark that stands in the stream behind what was there when it was asked.
    pub(super) mark: outwork_core::TaskId,
}

/// What the stream of the jobs has to say.
#[derive(Debug)]
pub(super) enum JobNews {
    Record(Box<JobRecord>),
    /// What comes from here on is new.
    CaughtUp,
    /// The stream cannot be read, for this reason.
    Lost(String),
}

/// How long the broker may take to answer a small question.
const ANSWER: Duration = Duration::from_secs(5);

impl Client {
    /// How many workers consume from a queue; `None` when that cannot be found out.
    pub(super) async fn consumers_of(&self, queue: &QueueName) -> Option<u32> {
        let (answer, told) = oneshot::channel();
        self.ask.send(Question::Consumers { queue: queue.clone(), answer }).ok()?;
        tokio::time::timeout(ANSWER, told).await.ok()?.ok().flatten()
    }
}
