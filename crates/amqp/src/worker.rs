//! [`AmqpWorker`]: runs the tasks of queues on an executor of this process.

mod acks;
mod builder;
mod control;
mod dead;
mod desk;
mod drain;
mod errand;
mod errands;
mod fetch;
mod finish;
mod hand;
mod hands;
mod job_records;
mod pace;
mod pool_events;
mod results;
mod session;
mod settle;
mod settled;
mod status;
mod token;
mod tombstones;

use std::{fmt, sync::Arc, time::Duration};

pub use builder::AmqpWorkerBuilder;
#[cfg(test)]
pub(crate) use dead::WORDS as REASONS;
pub use drain::DrainReport;
pub use status::WorkerStatus;

use self::{desk::Desk, fetch::Fetching};
use crate::connection::{ConnectOptions, Link, Runtime};
use outwork_core::Executor;

/// Runs the tasks of one or more queues on an executor of this process.
///
/// # Delivery
///
/// At least once. A task is acknowledged once its result, or its next attempt, is confirmed by
/// the broker. When the connection is lost, running tasks run on, and what comes again of them
/// is recognised; when the worker is killed, its tasks go to another one.
///
/// # Shutdown
///
/// [`drain`](Self::drain) finishes what runs and gives back the rest. Dropping the worker
/// leaves at once: what it had in hand goes to other workers, also what is running here.
pub struct AmqpWorker {
    desk: Arc<Desk>,
    link: Arc<Link>,
    fetching: tokio::sync::watch::Sender<Fetching>,
    runtime: Runtime,
}

impl AmqpWorker {
    /// Settings for a worker that runs tasks on this executor.
    ///
    /// Shutting the executor down is its owner's business, after the worker has drained.
    pub fn builder(options: ConnectOptions, executor: Arc<dyn Executor>) -> AmqpWorkerBuilder {
        AmqpWorkerBuilder::new(options, executor)
    }

    /// The name of this worker in outcomes and logs.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.desk.sender.name
    }

    /// What tells this worker apart from the one that had its name before.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.desk.sender.instance
    }

    /// Fetches no more tasks; those in hand are run.
    pub fn pause(&self) {
        self.fetch(Fetching::Paused);
    }

    /// Fetches tasks again after a pause.
    pub fn resume(&self) {
        self.fetch(Fetching::On);
    }

    /// There is no way back from the end.
    fn fetch(&self, wanted: Fetching) {
        self.fetching.send_if_modified(|now| {
            let changes = *now != Fetching::Over && *now != wanted;
            if changes {
                *now = wanted;
            }
            changes
        });
    }

    /// What the worker is doing now, and what it has done.
    #[must_use]
    pub fn status(&self) -> WorkerStatus {
        WorkerStatus::of(&self.desk, &self.link, *self.fetching.borrow())
    }

    /// Fetches no more, gives back what has not begun, finishes what runs, and leaves.
    ///
    /// What still runs at the deadline is made to stop and given back; another worker runs it
    /// again. A second call with a nearer deadline hurries the first one.
    ///
    /// # Cancel safety
    ///
    /// Once polled, the drain goes on without the future.
    pub async fn drain(&self, deadline: Duration) -> DrainReport {
        self.fetch(Fetching::Over);
        self.desk.start_draining();
        drain::drain(self, deadline).await
    }
}

impl Drop for AmqpWorker {
    fn drop(&mut self) {
        self.desk.publisher.link().stop();
        self.link.stop();
    }
}

impl fmt::Debug for AmqpWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpWorker")
            .field("name", &self.name())
            .field("queues", &self.desk.queues)
            .finish_non_exhaustive()
    }
}
