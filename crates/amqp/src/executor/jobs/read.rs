//! Reading what the stream of the jobs has on one of them.

use std::{sync::Arc, time::Duration};

use lapin::types::ShortString;
use outwork_core::{Phase, TaskId};
use tokio::sync::{mpsc, oneshot};

use super::{JobStatus, READING, closed, status::merge, unreadable};
use crate::{
    connection::ConnectError,
    executor::{
        client::Client,
        remote::{JobNews, Question, WantedJobs},
    },
    wire::{Control, Millis},
};

/// Clocks of machines differ: it is looked for a job from so long before its id was made.
const SKEW: Duration = Duration::from_secs(300);

/// How long to wait before the stream is read again that was lost.
const AGAIN: Duration = Duration::from_millis(200);

impl Client {
    /// Reads what the stream has on a job, and goes on reading until its end if that is wanted.
    pub(super) async fn read_job(
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
    pub(super) async fn news_again(
        &self,
        id: TaskId,
    ) -> Result<mpsc::UnboundedReceiver<JobNews>, ConnectError> {
        loop {
            if self.lifecycle.phase() == Phase::Stopped {
                return Err(closed());
            }
            tokio::time::sleep(AGAIN).await;
            if let Ok(news) = self.job_news(id).await {
                return Ok(news);
            }
        }
    }

    /// Everything that the stream has on a job, and what comes.
    pub(super) async fn job_news(
        &self,
        id: TaskId,
    ) -> Result<mpsc::UnboundedReceiver<JobNews>, ConnectError> {
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
}

pub(super) async fn read_until_caught_up(
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

/// Where in the stream a job can begin: its id tells when it was made.
fn since(id: TaskId) -> Millis {
    let made = id.as_uuid().get_timestamp().map_or((0, 0), |stamp| stamp.to_unix());
    let seconds = made.0.saturating_sub(SKEW.as_secs());
    Millis::try_from(seconds).unwrap_or_default().saturating_mul(1000)
}
