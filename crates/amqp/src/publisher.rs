//! Messages on their way out, each until the broker has confirmed it.

mod error;
mod judge;
mod outgoing;
mod pump;
mod window;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_channel::TrySendError;
use lapin::Connection;
use tokio::sync::oneshot;

pub(crate) use error::{PublishError, PublishErrorKind};
pub(crate) use outgoing::Outgoing;

use self::{outgoing::Job, pump::Pump};
use crate::{
    connection::{ConnectOptions, Link, Role, Runtime, SharedTask, supervise},
    telemetry,
};

/// How many messages may be on their way without a confirmation. Between 200 and 1000 the
/// throughput no longer grows, and what the broker has to confirm at once does.
const WINDOW: usize = 512;

/// Publishes messages, over one connection after the other.
///
/// One task owns the channel, because the client library mixes up the confirmations of
/// messages that several publish at once; while nothing is on its way, it is polled by whoever
/// has a message. Whatever was not confirmed when a connection is lost is published again on the
/// next one, so a message may arrive twice, and is never lost.
#[derive(Debug, Clone)]
pub(crate) struct Publisher {
    jobs: async_channel::Sender<Job>,
    pump: SharedTask,
    /// Whether nothing is on its way that a message could gather for.
    is_idle: Arc<AtomicBool>,
    link: Arc<Link>,
    max_payload: usize,
}

impl Publisher {
    /// Starts to publish over a connection that was made already.
    pub(crate) fn start(options: &ConnectOptions, runtime: &Runtime, first: Connection) -> Self {
        let (jobs, queue) = async_channel::bounded(WINDOW);
        let (link, is_idle) = (Arc::new(Link::new(Role::Publish)), Arc::default());
        let pump = Pump::new(options, queue, &link, &is_idle);
        let (supervised, options_of_task) = (Arc::clone(&link), options.clone());
        let pump = runtime.spawn_shared(async move {
            supervise(options_of_task, &supervised, first, pump).await;
        });
        Self { jobs, pump, is_idle, link, max_payload: options.payload_limit() }
    }

    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// Publishes a message and waits for its confirmation.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future: the message is published all the same once it was taken over.
    pub(crate) async fn publish(&self, outgoing: Outgoing) -> Result<(), PublishError> {
        let (send, receive) = oneshot::channel();
        let told = move |result| {
            // Who is no longer there need not be told.
            let _ = send.send(result);
        };
        self.hand_over(outgoing, told).await?;
        receive.await.unwrap_or_else(|_| Err(PublishError::closed()))
    }

    /// Hands a message over, waiting for room; `done` is called with what became of it.
    pub(crate) async fn hand_over(
        &self,
        outgoing: Outgoing,
        done: impl FnOnce(Result<(), PublishError>) + Send + Sync + 'static,
    ) -> Result<(), PublishError> {
        match self.put(self.job(outgoing, done)?) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(job) | TrySendError::Closed(job)) => {
                self.jobs.send(job).await.map_err(|_| PublishError::closed())
            }
        }
    }

    /// The same without waiting; `Ok(false)` when there is no room.
    pub(crate) fn try_hand_over(
        &self,
        outgoing: Outgoing,
        done: impl FnOnce(Result<(), PublishError>) + Send + Sync + 'static,
    ) -> Result<bool, PublishError> {
        match self.put(self.job(outgoing, done)?) {
            Ok(()) => Ok(true),
            Err(TrySendError::Full(job)) => {
                job.forget();
                Ok(false)
            }
            Err(TrySendError::Closed(job)) => {
                job.forget();
                Err(counted(PublishError::closed()))
            }
        }
    }

    /// Puts a message into the queue, for one write with those that gather there; when nothing is
    /// on its way, it is published by this very thread.
    #[expect(clippy::result_large_err, reason = "the message is given back where it was")]
    fn put(&self, job: Job) -> Result<(), TrySendError<Job>> {
        match self.is_idle.load(Ordering::Relaxed) {
            true => self.pump.feed(|| self.jobs.try_send(job)),
            false => self.jobs.try_send(job),
        }
    }

    fn job(
        &self,
        outgoing: Outgoing,
        done: impl FnOnce(Result<(), PublishError>) + Send + Sync + 'static,
    ) -> Result<Job, PublishError> {
        let size = outgoing.body.len();
        if size > self.max_payload {
            return Err(counted(PublishError::too_large(size, self.max_payload)));
        }
        Ok(Job::new(outgoing, Box::new(done)))
    }

    /// Takes no more messages; the connection is closed once all of them were confirmed.
    pub(crate) fn close(&self) {
        self.jobs.close();
    }
}

/// Counts a message that no connection was ever to get.
fn counted(error: PublishError) -> PublishError {
    telemetry::told(Err(error.kind()));
    error
}
