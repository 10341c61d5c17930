//! [`supervise`]: one connection that is made again for as long as it is wanted.

use std::{
    future::Future,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use lapin::{Connection, Event};
use tokio::sync::watch;

use super::{ConnectOptions, open};
use crate::telemetry;

/// How long a connection that worked for so long counts as good: the next pause is short again.
const GOOD: Duration = Duration::from_secs(10);

/// How long a goodbye may take. A blocked connection does not even get it out.
const GOODBYE: Duration = Duration::from_secs(2);

/// Which of the connections of a process. What comes in and what goes out do not share one:
/// a broker that is short of memory stops reading from those who publish, acknowledgements
/// included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Publish,
    Consume,
}

impl Role {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Consume => "consume",
        }
    }
}

/// The number of a connection among those that came one after the other, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Epoch(pub(crate) u64);

/// What others may know of a connection.
#[derive(Debug)]
pub(crate) struct Link {
    role: Role,
    epoch: AtomicU64,
    connected: AtomicBool,
    blocked: AtomicBool,
    stop: watch::Sender<bool>,
    ended: watch::Sender<bool>,
}

/// What is done on a connection while there is one.
pub(crate) trait Session: Send {
    /// Works on one connection, until that fails or nothing is left to do. Dropped where it
    /// stands when others see first that the connection is lost.
    fn live(&mut self, connection: &Connection, epoch: Epoch) -> impl Future<Output = End> + Send;

    /// Puts in order what was under way on a connection that is no more.
    fn cut_off(&mut self) {}

    /// Does what is left to do on a connection that is still there when all is over. Dropped
    /// when it takes too long.
    fn leave(&mut self, _connection: &Connection) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// Does what has to be done while there is no connection. Dropped when there is one.
    fn wait(&mut self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }
}

/// How the work on a connection ended.
#[derive(Debug)]
pub(crate) enum End {
    /// Nothing is left to do.
    Done,
    /// The connection, or a channel of it, is of no more use.
    Failed(String),
}

impl Link {
    pub(crate) fn new(role: Role) -> Self {
        Self {
            role,
            epoch: AtomicU64::new(0),
            connected: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            stop: watch::Sender::new(false),
            ended: watch::Sender::new(false),
        }
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }

    /// Whether the broker takes no messages, for want of memory or disk.
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Acquire)
    }

    /// Ends the supervision; what is being done on the connection is dropped.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until the supervision has ended, and the connection is closed.
    pub(crate) async fn ended(&self) {
        // The sender lives in the link.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    fn begin(&self) -> Epoch {
        self.connected.store(true, Ordering::Release);
        Epoch(self.epoch.fetch_add(1, Ordering::AcqRel) + 1)
    }

    fn end(&self) {
        self.connected.store(false, Ordering::Release);
        self.blocked.store(false, Ordering::Release);
    }
}

/// Says that the supervision has ended, also when it was dropped.
struct Ended<'a>(&'a Link);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.end();
        self.0.ended.send_replace(true);
    }
}

/// Lives on one connection after the other, beginning with one that was made already.
pub(crate) async fn supervise(
    options: ConnectOptions,
    link: &Link,
    first: Connection,
    mut session: impl Session,
) {
    let _ended = Ended(link);
    let mut stop = link.stop.subscribe();
    let mut connection = Some(first);
    let mut failures = 0;
    loop {
        let Some(current) = connection.take() else {
            let again = tokio::select! {
                () = stopped(&mut stop) => return,
                () = session.wait() => return,
                again = connect_again(&options, link.role, failures) => again,
            };
            match again {
                Some(again) => connection = Some(again),
                None => failures = failures.saturating_add(1),
            }
            continue;
        };
        let start = Instant::now();
        let epoch = link.begin();
        let end = tokio::select! {
            () = stopped(&mut stop) => End::Done,
            end = watch_events(&current, link) => end,
            end = session.live(&current, epoch) => end,
        };
        link.end();
        session.cut_off();
        let End::Failed(why) = end else {
            // What is not done in time is not done.
            let _ = tokio::time::timeout(GOODBYE, session.leave(&current)).await;
            return say_goodbye(&current).await;
        };
        failures = if start.elapsed() >= GOOD { 0 } else { failures.saturating_add(1) };
        tracing::warn!(role = link.role.as_str(), epoch = epoch.0, %why, "connection lost");
        if current.status().connected() {
            say_goodbye(&current).await;
        }
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // The sender lives in the link, which outlives the supervision.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Waits, and tries once.
async fn connect_again(options: &ConnectOptions, role: Role, failures: u32) -> Option<Connection> {
    let pause = options.pauses().pause(failures, fastrand::f64());
    tokio::time::sleep(pause).await;
    match open(options, role.as_str()).await {
        Ok(connection) => {
            telemetry::reconnected(role);
            tracing::info!(role = role.as_str(), "connected again");
            Some(connection)
        }
        Err(error) if failures <= 1 => {
            tracing::warn!(role = role.as_str(), %error, "the broker cannot be reached");
            None
        }
        // Told already, and it is tried for as long as it takes.
        Err(error) => {
            tracing::debug!(role = role.as_str(), %error, "the broker cannot be reached");
            None
        }
    }
}

/// Notes what the broker says of the connection, until that is lost.
async fn watch_events(connection: &Connection, link: &Link) -> End {
    let mut events = std::pin::pin!(connection.events_listener());
    // Lost before anybody listened.
    if !connection.status().connected() {
        return End::Failed("the connection is closed".to_owned());
    }
    while let Some(event) = events.next().await {
        match event {
            Event::ConnectionBlocked(reason) => {
                link.blocked.store(true, Ordering::Release);
                tracing::warn!(%reason, "the broker takes no messages for now");
            }
            Event::ConnectionUnblocked => {
                link.blocked.store(false, Ordering::Release);
                tracing::info!("the broker takes messages again");
            }
            // It has closed a channel, whose owner sees to that.
            Event::Error(error)
                if error.is_amqp_soft_error() && connection.status().connected() =>
            {
                tracing::debug!(%error, "the broker has closed a channel");
            }
            Event::Error(error) => return End::Failed(error.to_string()),
            _ => {}
        }
    }
    End::Failed("the connection has ended".to_owned())
}

async fn say_goodbye(connection: &Connection) {
    let goodbye = connection.close(200, "goodbye".into());
    if tokio::time::timeout(GOODBYE, goodbye).await.is_err() {
        tracing::debug!("the broker did not answer a goodbye");
    }
}
