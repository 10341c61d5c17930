//! [`LoopSlot`]: the place of one loop in the pool, whatever thread serves it.

use std::{
    fmt,
    sync::{Arc, PoisonError},
};

use async_channel::{Receiver, Sender};
use crossbeam_utils::CachePadded;
use outwork_core::engine::Attempt;

use super::{generation::Generation, spawned::Spawnable};
use crate::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

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
    /// Another thread took over once. The old one may still count among those who wait at the
    /// intake, and be told of work that it never comes to take.
    was_replaced: AtomicBool,
    generations: Mutex<Generations>,
}

struct Generations {
    current: Arc<Generation>,
    /// Those that were replaced, until they have left.
    retired: Vec<Arc<Generation>>,
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
            was_replaced: AtomicBool::new(false),
            generations: Mutex::new(Generations { current: first, retired: Vec::new() }),
        })
    }

    /// Gives work to the loop; `Err` when the pool is closed.
    pub(super) fn push(&self, work: Work) -> Result<(), Work> {
        // Sequentially consistent with the watch, which stops to look when there is no load.
        self.load.fetch_add(1, Ordering::SeqCst);
        self.send.try_send(work).map_err(|refused| {
            self.unload();
            refused.into_inner()
        })?;
        // Sequentially consistent with `succeed`: either the thread that takes over finds the
        // work when it first looks, or it is seen here that it has to be told.
        if self.was_replaced.load(Ordering::SeqCst) {
            self.generation().wake();
        }
        Ok(())
    }

    /// Work has ended, or left without being started.
    pub(super) fn unload(&self) {
        self.load.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn load(&self) -> usize {
        self.load.load(Ordering::SeqCst)
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
        Arc::clone(&self.lock().current)
    }

    /// All threads that have something of this loop's, the one that serves it now first.
    pub(super) fn generations(&self) -> Vec<Arc<Generation>> {
        let generations = self.lock();
        let retired = generations.retired.iter().cloned();
        std::iter::once(Arc::clone(&generations.current)).chain(retired).collect()
    }

    /// Puts a thread in charge that serves the intake already. The one that is stuck then
    /// serves only what it had started; whether it was still in charge.
    pub(super) fn succeed(&self, stuck: &Arc<Generation>, next: &Arc<Generation>) -> bool {
        self.was_replaced.store(true, Ordering::SeqCst);
        let mut generations = self.lock();
        generations.retired.retain(|generation| !generation.has_left());
        let in_charge = Arc::ptr_eq(&generations.current, stuck);
        let retired = if in_charge {
            std::mem::replace(&mut generations.current, Arc::clone(next))
        } else {
            Arc::clone(next)
        };
        generations.retired.push(Arc::clone(&retired));
        drop(generations);
        retired.replace();
        self.generation().wake();
        in_charge
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
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
