//! [`WorkerSession`]: a worker's work on one connection.

use std::sync::Arc;

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use lapin::Connection;
use tokio::sync::{oneshot, watch};

use super::{
    control::{ControlReader, Place},
    desk::Desk,
    fetch::{Fetcher, Fetching},
};
use crate::{
    connection::{ConnectError, ConnectErrorKind, End, Epoch, Session},
    topology::{QueueKind, declare_worker},
};

/// A worker's work on one connection after the other: reading what is cancelled, then fetching.
pub(super) struct WorkerSession {
    desk: Arc<Desk>,
    kind: QueueKind,
    fetching: watch::Receiver<Fetching>,
    place: Place,
    /// Told once, when everything works for the first time.
    ready: Option<oneshot::Sender<Result<(), ConnectError>>>,
}

impl WorkerSession {
    pub(super) fn new(
        desk: Arc<Desk>,
        kind: QueueKind,
        fetching: watch::Receiver<Fetching>,
        ready: oneshot::Sender<Result<(), ConnectError>>,
    ) -> Self {
        Self { desk, kind, fetching, place: Place::default(), ready: Some(ready) }
    }

    async fn work(&mut self, connection: &Connection, epoch: Epoch) -> Result<(), String> {
        if epoch > Epoch(1) {
            // What was deleted meanwhile is made again.
            let (desk, kind) = (&self.desk, self.kind);
            declare_worker(&desk.options, connection, &desk.queues, kind)
                .await
                .map_err(|error| error.to_string())?;
        }
        let mut control = ControlReader::open(&self.desk, connection, self.place).await?;
        control.replay(&self.desk, &mut self.place).await?;
        let fetching = FuturesUnordered::new();
        for queue in &self.desk.queues {
            let fetcher = Fetcher::open(&self.desk, (connection, epoch), queue).await?;
            fetching.push(fetcher.run(self.fetching.clone()).boxed());
        }
        tracing::info!(worker = self.desk.sender.name, epoch = epoch.0, "fetching tasks");
        if let Some(ready) = self.ready.take() {
            // Nobody may be waiting any more.
            let _ = ready.send(Ok(()));
        }
        let desk = Arc::clone(&self.desk);
        tokio::select! {
            why = control.follow(&desk, &mut self.place) => Err(why),
            ended = all(fetching) => match ended {
                Some(why) => Err(why),
                // Fetching is over; acknowledgements still go over this connection.
                None => {
                    desk.note_fetched();
                    std::future::pending().await
                }
            },
        }
    }
}

/// Waits for all fetchers, or for the first that failed.
async fn all(mut fetching: FuturesUnordered<BoxFuture<'static, Option<String>>>) -> Option<String> {
    while let Some(ended) = fetching.next().await {
        if ended.is_some() {
            return ended;
        }
    }
    None
}

impl Session for WorkerSession {
    async fn live(&mut self, connection: &Connection, epoch: Epoch) -> End {
        let worked = self.work(connection, epoch).await;
        let why = worked.err().unwrap_or_default();
        if let Some(ready) = self.ready.take() {
            let error = ConnectError::new(ConnectErrorKind::Broker, why.clone());
            let _ = ready.send(Err(error));
        }
        End::Failed(why)
    }
}
