//! Leaving without losing anything, and without keeping anybody waiting.

use std::{sync::Arc, sync::atomic::Ordering, time::Duration};

use super::{
    AmqpWorker,
    desk::Desk,
    hand::{Held, Wish},
};

/// What a drain came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct DrainReport {
    /// Tasks that were given back, so that other workers run them.
    pub given_back: u64,
    /// Of these, the ones that ran at the deadline and were made to stop.
    pub interrupted: u64,
    /// Tasks that the broker could not be told of in time. It gives them to other workers when
    /// it misses this one.
    pub unsettled: usize,
    /// Of these, the ones whose bodies did not stop in time and may still run here.
    pub abandoned: usize,
}

/// How long a body that is made to stop at the deadline may take, before its task is given
/// back although it still runs.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long the broker may take to confirm what is given back last.
const LAST_WORDS: Duration = Duration::from_secs(10);

pub(super) async fn drain(worker: &AmqpWorker, deadline: Duration) -> DrainReport {
    let (send, receive) = tokio::sync::oneshot::channel();
    let (desk, link) = (Arc::clone(&worker.desk), Arc::clone(&worker.link));
    worker.runtime.spawn(async move {
        let abandoned = finish(&desk, deadline).await;
        let unsettled = desk.hands.len();
        desk.publisher.close();
        link.stop();
        let said = async { tokio::join!(link.ended(), desk.publisher.link().ended()) };
        // What was acknowledged is written; only the goodbye may be missing.
        let _ = tokio::time::timeout(LAST_WORDS, said).await;
        let given_back = desk.counters.given_back.load(Ordering::Relaxed);
        let interrupted = desk.counters.interrupted.load(Ordering::Relaxed);
        // Nobody may be waiting any more.
        let _ = send.send(DrainReport { given_back, interrupted, unsettled, abandoned });
    });
    receive.await.unwrap_or_default()
}

/// Finishes what runs; how many tasks were given back although their bodies run on.
async fn finish(desk: &Arc<Desk>, deadline: Duration) -> usize {
    // What is on its way is taken into hand first: it may be a copy of what was done here, and
    // nobody else would know that. With no broker there, nothing is on its way.
    let _ = tokio::time::timeout(deadline.min(LAST_WORDS), desk.all_fetched()).await;
    give_back_waiting(desk).await;
    if tokio::time::timeout(deadline, desk.errands.all_done()).await.is_ok() {
        return 0;
    }
    for hand in desk.hands.all() {
        if hand.wish(Wish::GiveBack) == Held::InPool {
            desk.stop_in_pool(hand.envelope.id, true).await;
        }
    }
    if tokio::time::timeout(PATIENCE, desk.errands.all_done()).await.is_ok() {
        return 0;
    }
    let stuck = desk.hands.in_pool();
    for hand in &stuck {
        hand.abandon();
    }
    // The broker may be away: then everything comes back to it with the connection.
    let _ = tokio::time::timeout(LAST_WORDS, desk.errands.all_done()).await;
    stuck.len()
}

/// Gives back what the pool has not begun.
async fn give_back_waiting(desk: &Arc<Desk>) {
    desk.read_events();
    for hand in desk.hands.all() {
        if hand.started().is_none() && hand.wish(Wish::GiveBack) == Held::InPool {
            desk.stop_in_pool(hand.envelope.id, false).await;
        }
    }
}
