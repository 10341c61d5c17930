//! [`LoopSlot`]: the place of one loop in the pool, whatever thread serves it.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use async_channel::{Receiver, Sender};
use crossbeam_utils::CachePadded;
use outwork_core::engine::Attempt;

use super::{generation::Generation, spawned::Spawnable};

/// What waits for a loop.
pub(super) enum Work {
    Attempt(Attempt),
    Spawned(Arc<dyn Spawnable>),
}

/// The place of one loop: what it has to do, and the thread that serves it now.
///
/// The intake belongs to the place and not to the thread, so that a thread which takes over
/// from a stuck one finds what had not been started.
pub(super) struct LoopSlot {
    pub(super) name: Arc<str>,
    send: Sender<Work>,
    pub(super) intake: Receiver<Work>,
    /// What was given to this loop and has not ended.
    load: CachePadded<AtomicUsize>,
    stalled: AtomicBool,
    generation: Mutex<Arc<Generation>>,
}

impl LoopSlot {
    pub(super) fn new(name: String, first: Arc<Generation>) -> Arc<Self> {
        let (send, intake) = async_channel::unbounded();
        Arc::new(Self {
            name: Arc::from(name),
            send,
            intake,
            load: CachePadded::default(),
            stalled: AtomicBool::new(false),
            generation: Mutex::new(first),
        })
    }

    /// Gives work to the loop; `Err` when the pool is closed.
    pub(super) fn push(&self, work: Work) -> Result<(), Work> {
        self.load.fetch_add(1, Ordering::Relaxed);
        self.send.try_send(work).map_err(|refused| {
            self.unload();
            refused.into_inner()
        })
    }

    /// Work has ended, or left without being started.
    pub(super) fn unload(&self) {
        self.load.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    pub(super) fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }

    /// Notes whether the loop is stalled; whether that is news.
    pub(super) fn set_stalled(&self, stalled: bool) -> bool {
        self.stalled.swap(stalled, Ordering::Relaxed) != stalled
    }

    pub(super) fn close(&self) {
        self.send.close();
    }

    /// The thread that serves the loop now.
    pub(super) fn generation(&self) -> Arc<Generation> {
        Arc::clone(&self.generation.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another thread in charge; the old one serves only what it had started.
    pub(super) fn succeed(&self, next: Arc<Generation>) -> Arc<Generation> {
        let mut generation = self.generation.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *generation, next)
    }
}

impl fmt::Debug for LoopSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopSlot")
            .field("name", &self.name)
            .field("load", &self.load())
            .finish_non_exhaustive()
    }
}
