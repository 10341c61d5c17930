//! Detached jobs: submitted by one process, asked for by another.

mod attached;
mod follow;

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use lapin::types::ShortString;
use outwork_core::{
    AttachError, Cancel, JobHandle, Outcome, Refusal, State, SubmitError, SubmitErrorKind, Task,
    TaskHandle, TaskId, TaskName,
};
use tokio::sync::{mpsc, oneshot};

pub(super) use follow::follow_jobs;

use self::attached::AttachedJob;
use super::{
    AmqpExecutor,
    client::Client,
    remote::{JobNews, Question, WantedJobs},
};
use crate::{
    connection::{ConnectError, ConnectErrorKind},
    publisher::Outgoing,
    topology::QueueName,
    wire::{Control, JobRecord, Millis, now},
};

/// What is known of a detached job.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct JobStatus {
    /// The job.
    pub id: TaskId,
    /// The name of its task.
    pub name: TaskName,
    /// Its queue.
    pub queue: QueueName,
    /// Where it is in its life. It may have gone on since, until the state is final.
    pub state: State,
    /// The number of the attempt that was told of last; 0 before the first.
    pub attempt: u32,
    /// The worker that has it, or had it last.
    pub worker: Option<String>,
    /// When it was submitted.
    pub submitted_at: SystemTime,
    /// When it came to this state.
    pub at: SystemTime,
    /// How it ended, with a state that is final.
    pub outcome: Option<Outcome>,
}

/// What says in a job handle that the job outlives the process that submitted it.
const DETACHED: &str = "detached";

/// Clocks of machines differ: it is looked for a job from so long before its id was made.
const SKEW: Duration = Duration::from_secs(300);

/// How long to wait before the stream is read again that was lost.
const AGAIN: Duration = Duration::from_millis(200);

/// How long the stream may take to be read.
const READING: Duration = Duration::from_secs(60);

impl AmqpExecutor {
    /// Hands a task over for good: it is run and its end is kept for whoever asks, on any
    /// machine, also when this process is gone. The broker keeps it for at least 14 days.
    ///
    /// It is no task of this executor: it takes no room, has no events here, and is not waited
    /// for at shutdown.
    ///
    /// # Errors
    ///
    /// As for [`submit`](outwork_core::Executor::submit).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future: the job may or may not have been submitted.
    pub async fn submit_detached(&self, task: Task) -> Result<JobHandle, SubmitError> {
        let client = Arc::clone(&self.client);
        let checked = client.checked(&task, None, true);
        let result = match checked {
            Ok(checked) => client.send_detached(&task, checked).await,
            Err(refusal) => Err(refusal),
        };
        result.map_err(|refusal| refusal.with_task(task))
    }

    /// What is known of a detached job; nothing when it never was, or is no longer kept.
    ///
    /// # Errors
    ///
    /// When the broker cannot be reached, or its stream of jobs cannot be read.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn job(&self, id: TaskId) -> Result<Option<JobStatus>, ConnectError> {
        self.client.read_job(id, None).await
    }

    /// The same, waiting until the job has ended, or the time is up.
    ///
    /// # Errors
    ///
    /// As for [`job`](Self::job).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn wait_job(
        &self,
        id: TaskId,
        timeout: Duration,
    ) -> Result<Option<JobStatus>, ConnectError> {
        self.client.read_job(id, Some(timeout)).await
    }

    /// Asks a task to stop that may have been submitted by another process.
    ///
    /// `Confirmed` means that no worker has it, and that it will not start any more.
    ///
    /// # Errors
    ///
    /// When the broker cannot be reached.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future: the task may or may not have been asked.
    pub async fn cancel_job(&self, id: TaskId) -> Result<Cancel, ConnectError> {
        let known = self.client.read_job(id, None).await?;
        if known.as_ref().is_some_and(|job| job.state.is_final()) {
            return Ok(Cancel::NotFound);
        }
        let detached = known.is_some();
        let queue = known.as_ref().map(|job| job.queue.clone());
        let answer = self.client.cancel_elsewhere(id, queue).await;
        if answer == Cancel::Confirmed
            && detached
            && let Some(job) = known
        {
            self.client.record_cancelled(job).await?;
        }
        Ok(answer)
    }
}

impl Client {
    async fn send_detached(
        self: &Arc<Self>,
        task: &Task,
        checked: super::submit::Checked,
    ) -> Result<JobHandle, Refusal> {
        let record = JobRecord {
            id: checked.envelope.id,
            name: checked.envelope.name.clone(),
            queue: checked.envelope.queue.clone(),
            submitted: checked.envelope.submitted,
            at: checked.envelope.submitted,
            state: State::Pending,
            attempt: 0,
            worker: None,
            outcome: None,
        };
        let submitted = record.submitted;
        let handle = JobHandle::new(task.id(), self.name())
            .with_name(task.name().clone())
            .with_submitted_at(time_of(submitted))
            .with_detail("queue", record.queue.as_str())
            .with_detail(DETACHED, "true");
        // First, so that whoever finds the job running finds that it was submitted.
        self.publish_record(record)
            .await
            .map_err(|error| Refusal::new(SubmitErrorKind::Infrastructure, error.to_string()))?;
        self.publish_detached(checked).await?;
        Ok(handle)
    }

    async fn publish_record(&self, record: JobRecord) -> Result<(), ConnectError> {
        let failed = |why: String| ConnectError::new(ConnectErrorKind::Broker, why);
        let (properties, body) = record.encode().map_err(|error| failed(error.to_string()))?;
        let outgoing = self.to_jobs(properties, body);
        self.publisher.publish(outgoing).await.map_err(|error| failed(error.to_string()))
    }

    fn to_jobs(&self, properties: lapin::BasicProperties, body: bytes::Bytes) -> Outgoing {
        Outgoing {
            exchange: self.options.names().log_exchange(),
            key: ShortString::from("jobs"),
            properties,
            body,
            give_up: Some(std::time::Instant::now() + self.options.confirm_limit()),
        }
    }

    /// Writes that a job was cancelled before it started: no worker will.
    async fn record_cancelled(&self, job: JobStatus) -> Result<(), ConnectError> {
        let error = outwork_core::TaskError::cancelled();
        let report =
            outwork_core::Report { attempts: job.attempt, ..outwork_core::Report::default() };
        self.publish_record(JobRecord {
            id: job.id,
            name: job.name,
            queue: job.queue,
            submitted: millis_of(job.submitted_at),
            at: now(),
            state: State::Cancelled,
            attempt: job.attempt,
            worker: job.worker,
            outcome: Some(Outcome::new(Err(error), report)),
        })
        .await
    }

    /// Reads what the stream has on a job, and goes on reading until its end if that is wanted.
    async fn read_job(
        self: &Arc<Self>,
        id: TaskId,
        wait: Option<Duration>,
    ) -> Result<Option<JobStatus>, ConnectError> {
        let (tell, told) = oneshot::channel();
        let client = Arc::clone(self);
        self.runtime.spawn(async move {
            let result = client.read_job_here(id, wait).await;
            // Who asked may have gone.
            let _ = tell.send(result);
        });
        told.await.unwrap_or_else(|_| Err(closed()))
    }

    async fn read_job_here(
        self: &Arc<Self>,
        id: TaskId,
        wait: Option<Duration>,
    ) -> Result<Option<JobStatus>, ConnectError> {
        let mut status = None;
        let mut news = self.read_what_there_is(id, &mut status).await?;
        if let Some(wait) = wait {
            let until_end = async {
                // After a lost connection it is read again, on the next one.
                while read_until_end(&mut news, &mut status).await.is_err() {
                    news = self.news_again(id).await?;
                }
                Ok(())
            };
            // What is known when the time is up is the answer.
            tokio::time::timeout(wait, until_end).await.unwrap_or(Ok(()))?;
        }
        Ok(status)
    }

    async fn read_what_there_is(
        &self,
        id: TaskId,
        status: &mut Option<JobStatus>,
    ) -> Result<mpsc::UnboundedReceiver<JobNews>, ConnectError> {
        let mut news = self.job_news(id).await?;
        tokio::time::timeout(READING, read_until_caught_up(&mut news, status))
            .await
            .map_err(|_| unreadable(&format!("it was not read within {READING:?}")))??;
        Ok(news)
    }

    /// The same as [`job_news`](Self::job_news), for as long as it takes until there is a
    /// connection. Fails when the executor has stopped.
    async fn news_again(
        &self,
        id: TaskId,
    ) -> Result<mpsc::UnboundedReceiver<JobNews>, ConnectError> {
        loop {
            if self.lifecycle.phase() == outwork_core::Phase::Stopped {
                return Err(closed());
            }
            tokio::time::sleep(AGAIN).await;
            if let Ok(news) = self.job_news(id).await {
                return Ok(news);
            }
        }
    }

    /// Everything that the stream has on a job, and what comes.
    async fn job_news(&self, id: TaskId) -> Result<mpsc::UnboundedReceiver<JobNews>, ConnectError> {
        let (answers, news) = mpsc::unbounded_channel();
        let mark = TaskId::new();
        let (properties, body) = Control::Mark { reader: mark.to_string() }
            .encode()
            .map_err(|error| unreadable(&error.to_string()))?;
        let properties = properties.with_message_id(ShortString::from(mark.to_string()));
        let marked = self.publisher.publish(self.to_jobs(properties, body)).await;
        marked.map_err(|error| unreadable(&error.to_string()))?;
        let wanted = WantedJobs { id, since: since(id), mark };
        self.ask.send(Question::Jobs { wanted, answers }).map_err(|_| closed())?;
        Ok(news)
    }

    /// A handle of a job that another process submitted.
    pub(super) async fn attach_detached(
        self: &Arc<Self>,
        job: JobHandle,
    ) -> Result<TaskHandle, AttachError> {
        if job.detail(DETACHED).is_none() {
            return Err(AttachError::NotFound(Box::new(job)));
        }
        let (tell, told) = oneshot::channel();
        let (client, id) = (Arc::clone(self), job.id());
        self.runtime.spawn(async move {
            let attached = async {
                let mut news = client.job_news(id).await?;
                let mut status = None;
                read_until_caught_up(&mut news, &mut status).await?;
                Ok::<_, ConnectError>((news, status))
            };
            let attached = tokio::time::timeout(READING, attached).await;
            // Who asked may have gone.
            let _ = tell.send(attached.unwrap_or_else(|_| Err(unreadable("no answer in time"))));
        });
        match told.await.unwrap_or_else(|_| Err(closed())) {
            Ok((_, None)) => Err(AttachError::NotFound(Box::new(job))),
            Ok((news, Some(status))) => {
                Ok(TaskHandle::new(AttachedJob::follow(self, job, status, news)))
            }
            Err(error) => {
                let message = error.to_string();
                Err(AttachError::Infrastructure { job: Box::new(job), message })
            }
        }
    }
}

async fn read_until_caught_up(
    news: &mut mpsc::UnboundedReceiver<JobNews>,
    status: &mut Option<JobStatus>,
) -> Result<(), ConnectError> {
    loop {
        match news.recv().await {
            Some(JobNews::Record(record)) => merge(status, *record),
            Some(JobNews::CaughtUp) => return Ok(()),
            Some(JobNews::Lost(why)) => return Err(unreadable(&why)),
            None => return Err(closed()),
        }
    }
}

async fn read_until_end(
    news: &mut mpsc::UnboundedReceiver<JobNews>,
    status: &mut Option<JobStatus>,
) -> Result<(), ConnectError> {
    while !status.as_ref().is_some_and(|status| status.state.is_final()) {
        match news.recv().await {
            Some(JobNews::Record(record)) => merge(status, *record),
            Some(JobNews::CaughtUp) => {}
            Some(JobNews::Lost(why)) => return Err(unreadable(&why)),
            None => return Err(closed()),
        }
    }
    Ok(())
}

/// Takes over what a record says. A job that has ended stays so: a copy of it may have run.
fn merge(status: &mut Option<JobStatus>, record: JobRecord) {
    if status.as_ref().is_some_and(|status| status.state.is_final()) {
        return;
    }
    *status = Some(JobStatus {
        id: record.id,
        name: record.name,
        queue: record.queue,
        state: record.state,
        attempt: record.attempt,
        worker: record.worker,
        submitted_at: time_of(record.submitted),
        at: time_of(record.at),
        outcome: record.outcome,
    });
}

fn time_of(millis: Millis) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or_default())
}

fn millis_of(time: SystemTime) -> Millis {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}

/// Where in the stream a job can begin: its id tells when it was made.
fn since(id: TaskId) -> Millis {
    let made = id.as_uuid().get_timestamp().map_or((0, 0), |stamp| stamp.to_unix());
    let seconds = made.0.saturating_sub(SKEW.as_secs());
    Millis::try_from(seconds).unwrap_or_default().saturating_mul(1000)
}

fn unreadable(why: &str) -> ConnectError {
    let message = format!("the stream of the jobs cannot be read: {why}");
    ConnectError::new(ConnectErrorKind::Broker, message)
}

fn closed() -> ConnectError {
    ConnectError::new(ConnectErrorKind::Broker, "the executor is shut down")
}
