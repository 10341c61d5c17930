//! Asking which workers are there.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use lapin::types::ShortString;
use outwork_core::TaskId;
use tokio::sync::{mpsc, oneshot};

use super::{AmqpExecutor, client::Client};
use crate::{
    connection::{ConnectError, ConnectErrorKind},
    publisher::Outgoing,
    wire::{Control, Ping, Pong},
};

/// A worker that has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerAnswer {
    /// Its name.
    pub name: String,
    /// What tells it apart from the one that had its name before.
    pub instance: String,
    /// How long it took.
    pub after: Duration,
}

/// How long to wait for answers before it is asked again how many there are to be.
const ASK_AGAIN: Duration = Duration::from_millis(200);

impl AmqpExecutor {
    /// Asks the workers of the executor's queue whether they are there, and waits until as many
    /// have answered as take tasks from it, and one at the least, or the time is up.
    ///
    /// The question goes past the tasks that wait, so that busy workers answer too. One that
    /// has been told to stop answers until it has left.
    ///
    /// # Errors
    ///
    /// When the question cannot be sent in time.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn ping(&self, timeout: Duration) -> Result<Vec<WorkerAnswer>, ConnectError> {
        let (tell, told) = oneshot::channel();
        let client = Arc::clone(&self.client);
        self.client.runtime.spawn(async move {
            // Who asked may have gone.
            let _ = tell.send(client.ping(timeout).await);
        });
        told.await.unwrap_or_else(|_| Err(failed("the executor is shut down")))
    }
}

impl Client {
    async fn ping(&self, timeout: Duration) -> Result<Vec<WorkerAnswer>, ConnectError> {
        let (id, start) = (TaskId::new(), Instant::now());
        let mut pongs = self.pongs.expect(id);
        let mut answers = Vec::new();
        let asking = async {
            self.send_ping(id, start + timeout).await?;
            self.gather_pongs(start, &mut pongs, &mut answers).await;
            Ok(())
        };
        let asked = tokio::time::timeout(timeout, asking).await;
        drop(pongs);
        self.pongs.tidy(id);
        // Those who have answered when the time is up are the answer.
        asked.unwrap_or(Ok(())).map(|()| answers)
    }

    async fn send_ping(&self, id: TaskId, give_up: Instant) -> Result<(), ConnectError> {
        let queue = self.settings.queue.clone();
        let reply_to = self.replies.as_str().to_owned();
        let encoded = Control::Ping(Ping { id, queue, reply_to }).encode();
        let (properties, body) = encoded.map_err(|error| failed(&error.to_string()))?;
        let outgoing = Outgoing {
            exchange: self.options.names().log_exchange(),
            key: ShortString::from("ctl"),
            properties,
            body,
            give_up: Some(give_up),
        };
        let sent = self.publisher.publish(outgoing).await;
        sent.map_err(|error| failed(&error.to_string()))
    }

    async fn gather_pongs(
        &self,
        start: Instant,
        pongs: &mut mpsc::UnboundedReceiver<Pong>,
        answers: &mut Vec<WorkerAnswer>,
    ) {
        loop {
            let consumers = self.consumers_of(&self.settings.queue).await.unwrap_or(0);
            let asked = Instant::now();
            loop {
                if answers.len() >= (consumers as usize).max(1) {
                    return;
                }
                let left = ASK_AGAIN.saturating_sub(asked.elapsed());
                match tokio::time::timeout(left, pongs.recv()).await {
                    Ok(Some(Pong { from, .. })) => {
                        let (name, instance, after) = (from.name, from.instance, start.elapsed());
                        answers.push(WorkerAnswer { name, instance, after });
                    }
                    Ok(None) => return,
                    Err(_) => break,
                }
            }
        }
    }
}

fn failed(why: &str) -> ConnectError {
    ConnectError::new(ConnectErrorKind::Broker, format!("the workers cannot be asked: {why}"))
}
