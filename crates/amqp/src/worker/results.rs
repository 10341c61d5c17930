//! [`Results`]: results on their way to the clients.

use std::{sync::Arc, time::Duration};

use lapin::types::ShortString;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::{
    connection::{ConnectOptions, Runtime},
    publisher::{Outgoing, PublishErrorKind, Publisher},
    wire::{Ended, Sender, encode_results},
};

/// Results on their way to the clients. While some are being confirmed others gather, and those
/// of one client then go together: the busier the worker is, the less a result costs.
#[derive(Debug)]
pub(super) struct Results {
    ready: mpsc::UnboundedSender<Ready>,
}

/// One result that is to be sent.
struct Ready {
    reply_to: Arc<str>,
    ended: Ended,
    told: Told,
}

/// Who is told what became of a result.
type Told = Box<dyn FnOnce(Sent) + Send>;

/// What became of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    Confirmed,
    /// Its client is gone, and its queue with it.
    Dropped,
    /// The worker was closed before.
    Unsettled,
}

/// How many messages with results are being confirmed at most, while others gather.
const ON_THEIR_WAY: usize = 64;

/// How many results a message has at most, and about how many bytes.
const TOGETHER: usize = 1024;
const BYTES: usize = 256 * 1024;

/// How long results wait for others while some are being confirmed. The broker takes longer to
/// put one message on the disk.
const LINGER: Duration = Duration::from_millis(1);

/// How long to wait before a message is tried again that the broker refused.
const AGAIN: Duration = Duration::from_secs(1);

impl Results {
    /// Starts to send what is ready, until the last of those who have results has gone.
    pub(super) fn start(
        runtime: &Runtime,
        options: &ConnectOptions,
        publisher: &Publisher,
        sender: &Sender,
    ) -> Self {
        let (ready, due) = mpsc::unbounded_channel();
        let post = Post {
            exchange: options.names().reply_exchange(),
            bytes: BYTES.min(options.payload_limit()),
            publisher: publisher.clone(),
            sender: sender.clone(),
        };
        runtime.spawn(send(post, due));
        Self { ready }
    }

    /// Sends a result until it is confirmed, or found to be nobody's; tells what became of it.
    ///
    /// It is a call, because to wake as many futures would cost more than what they do then.
    pub(super) fn send(
        &self,
        reply_to: Arc<str>,
        ended: Ended,
        told: impl FnOnce(Sent) + Send + 'static,
    ) {
        let ready = Ready { reply_to, ended, told: Box::new(told) };
        if let Err(unsent) = self.ready.send(ready) {
            (unsent.0.told)(Sent::Unsettled);
        }
    }
}

/// What it takes to send results.
#[derive(Debug, Clone)]
struct Post {
    exchange: ShortString,
    /// How many bytes of results go together.
    bytes: usize,
    publisher: Publisher,
    sender: Sender,
}

async fn send(post: Post, mut due: mpsc::UnboundedReceiver<Ready>) {
    let places = Arc::new(Semaphore::new(ON_THEIR_WAY));
    let mut next = None;
    loop {
        let Some(first) = (match next.take() {
            Some(first) => Some(first),
            None => due.recv().await,
        }) else {
            return;
        };
        // It is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let is_alone = places.available_permits() + 1 == ON_THEIR_WAY;
        if !is_alone && due.len() < TOGETHER {
            tokio::time::sleep(LINGER).await;
        }
        let (together, rest) = gather(first, &mut due, post.bytes);
        next = rest;
        tokio::spawn(post.clone().send(together, place));
    }
}

/// Takes what is ready for the same client; the first that is not for it, or that is too much.
fn gather(
    first: Ready,
    due: &mut mpsc::UnboundedReceiver<Ready>,
    most: usize,
) -> (Vec<Ready>, Option<Ready>) {
    let mut bytes = first.ended.len();
    let mut together = vec![first];
    while together.len() < TOGETHER
        && let Ok(ready) = due.try_recv()
    {
        bytes += ready.ended.len();
        if bytes > most || ready.reply_to != together[0].reply_to {
            return (together, Some(ready));
        }
        together.push(ready);
    }
    (together, None)
}

impl Post {
    async fn send(self, together: Vec<Ready>, _place: OwnedSemaphorePermit) {
        let Some(reply_to) = together.first().map(|ready| Arc::clone(&ready.reply_to)) else {
            return;
        };
        let (results, told): (Vec<_>, Vec<_>) =
            together.into_iter().map(|ready| (ready.ended, ready.told)).unzip();
        let sent = match encode_results(&self.sender, results) {
            Ok((properties, body)) => {
                let exchange = self.exchange.clone();
                let key = ShortString::try_new(&*reply_to).unwrap_or_default();
                self.insist(Outgoing { exchange, key, properties, body, give_up: None }).await
            }
            Err(error) => {
                tracing::error!(%error, "results cannot be written");
                Sent::Dropped
            }
        };
        told.into_iter().for_each(|told| told(sent));
    }

    async fn insist(&self, outgoing: Outgoing) -> Sent {
        loop {
            match self.publisher.publish(outgoing.clone()).await {
                Ok(()) => return Sent::Confirmed,
                Err(error) if error.kind() == PublishErrorKind::Returned => return Sent::Dropped,
                Err(error) if error.kind() == PublishErrorKind::Closed => return Sent::Unsettled,
                Err(error) => {
                    tracing::warn!(%error, "trying again to send results");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use outwork_core::{Codec, Outcome, Payload};

    use super::*;
    use crate::wire::Envelope;

    fn ended() -> Ended {
        let outcome = Outcome::bare(Ok(Payload::new(Codec::Json, "3")));
        Ended::new(&Envelope::plain("t"), &outcome, BYTES).unwrap()
    }

    /// How many go together with a first one, and for whom the next is, if it was taken.
    fn gathered(ready: &[&str], bytes: usize) -> (usize, Option<Arc<str>>) {
        let (send, mut due) = mpsc::unbounded_channel();
        for reply_to in ready {
            let told = Box::new(|_| ());
            send.send(Ready { reply_to: (*reply_to).into(), ended: ended(), told }).unwrap();
        }
        let first = due.try_recv().unwrap();
        let (together, next) = gather(first, &mut due, bytes);
        (together.len(), next.map(|ready| ready.reply_to))
    }

    #[test]
    fn results_of_one_client_go_together_up_to_a_number_and_a_size() {
        assert_eq!(gathered(&["a", "a", "a"], BYTES), (3, None));
        assert_eq!(gathered(&["a", "a", "b", "a"], BYTES), (2, Some("b".into())));
        assert_eq!(gathered(&["a"; TOGETHER + 1], usize::MAX), (TOGETHER, None));
        assert_eq!(gathered(&["a"; 4], 2 * ended().len()), (2, Some("a".into())));
        assert_eq!(gathered(&["a"; 4], 1), (1, Some("a".into())), "what is too much goes alone");
    }
}
