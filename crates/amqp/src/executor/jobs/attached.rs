//! [`AttachedJob`]: a handle of a job that another process submitted.

use std::{
    fmt,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
};

use outwork_core::{
    AttachError, Cancel, EventFilter, EventKind, EventStream, JobHandle, JoinCell, JoinSource,
    LossReason, Outcome, Payload, State, TaskError, TaskEvent, TaskHandle, TaskId, WaitKey,
    WorkerLost, blocking::ExecutorId,
};
use tokio::sync::{mpsc, oneshot};

use super::{
    DETACHED, JobStatus, READING, closed, read::read_until_caught_up, status::merge, unreadable,
};
use crate::{
    connection::ConnectError,
    executor::{client::Client, remote::JobNews},
    lock::lock,
};

/// A job that another process submitted, followed through the stream of the jobs.
pub(super) struct AttachedJob {
    client: Arc<Client>,
    job: JobHandle,
    status: Mutex<JobStatus>,
    outcome: Mutex<Option<Outcome>>,
    ended: JoinCell<()>,
}

impl AttachedJob {
    pub(super) fn follow(
        client: &Arc<Client>,
        job: JobHandle,
        status: JobStatus,
        mut news: mpsc::UnboundedReceiver<JobNews>,
    ) -> Arc<Self> {
        let attached = Arc::new(Self {
            client: Arc::clone(client),
            job,
            status: Mutex::new(status),
            outcome: Mutex::default(),
            ended: JoinCell::new(()),
        });
        let followed = Arc::clone(&attached);
        client.runtime.spawn(async move {
            loop {
                let mut status = Some(lock(&followed.status).clone());
                if followed.has_ended() {
                    return followed.end();
                }
                match news.recv().await {
                    Some(JobNews::Record(record)) => merge(&mut status, *record),
                    Some(JobNews::CaughtUp) => {}
                    // The connection was lost: read again, on the next one.
                    Some(JobNews::Lost(_)) | None => match followed.again().await {
                        Ok(again) => news = again,
                        Err(_stopped) => return followed.lose(),
                    },
                }
                if let Some(status) = status {
                    *lock(&followed.status) = status;
                }
            }
        });
        attached
    }

    fn has_ended(&self) -> bool {
        lock(&self.status).state.is_final()
    }

    async fn again(&self) -> Result<mpsc::UnboundedReceiver<JobNews>, ConnectError> {
        self.client.news_again(self.job.id()).await
    }

    fn end(&self) {
        let outcome = lock(&self.status).outcome.clone();
        self.conclude(outcome.unwrap_or_else(|| {
            let message = "the end of the job was kept without its outcome";
            Outcome::bare(Err(TaskError::failed(message)))
        }));
    }

    fn lose(&self) {
        let lost = WorkerLost { reason: LossReason::Dropped, ..WorkerLost::default() };
        let message = "the executor was shut down before the job's end was known; the job goes on";
        self.conclude(Outcome::bare(Err(TaskError::lost(lost, message))));
    }

    fn conclude(&self, outcome: Outcome) {
        let (state, error) = (outcome.state(), outcome.error().cloned());
        let (name, attempt) = (self.job.name().cloned(), outcome.attempts());
        lock(&self.status).state = state;
        *lock(&self.outcome) = Some(outcome);
        let kind = EventKind::Finished { state, error };
        self.client.hub.emit(|| TaskEvent::now(self.job.id(), name, attempt, kind));
        // Nobody else completes it.
        let _ = self.ended.complete(Outcome::bare(Ok(())));
    }
}

impl Client {
    /// A handle of a job that another process submitted.
    pub(in crate::executor) async fn attach_detached(
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

impl JoinSource<Payload> for AttachedJob {
    fn poll_outcome(&self, cx: &mut Context<'_>, key: &mut WaitKey) -> Poll<Option<Outcome>> {
        ready!(self.ended.poll_ended(cx, key));
        Poll::Ready(lock(&self.outcome).clone())
    }

    fn poll_ended(&self, cx: &mut Context<'_>, key: &mut WaitKey) -> Poll<()> {
        self.ended.poll_ended(cx, key)
    }

    fn forget(&self, key: &mut WaitKey) {
        self.ended.forget(key);
    }

    fn task_id(&self) -> TaskId {
        self.job.id()
    }

    fn state(&self) -> State {
        lock(&self.status).state
    }

    fn cancel(self: Arc<Self>) -> Cancel {
        if self.has_ended() {
            return Cancel::NotFound;
        }
        let client = Arc::clone(&self.client);
        client.runtime.clone().spawn(async move {
            let queue = lock(&self.status).queue.clone();
            if client.cancel_elsewhere(self.job.id(), Some(queue)).await == Cancel::Confirmed {
                let status = lock(&self.status).clone();
                if let Err(error) = client.record_cancelled(status).await {
                    tracing::warn!(%error, "the end of a cancelled job was not written");
                }
            }
        });
        Cancel::Requested
    }

    fn events(&self) -> EventStream {
        self.client.hub.subscribe(EventFilter::all().task(self.job.id()))
    }

    fn job_handle(self: Arc<Self>) -> JobHandle {
        self.job.clone()
    }

    fn executor(&self) -> ExecutorId {
        self.client.id
    }
}

impl fmt::Debug for AttachedJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttachedJob").field("job", &self.job).finish_non_exhaustive()
    }
}
