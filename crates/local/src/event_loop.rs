//! [`EventLoopPool`]: futures on event loops, one to a thread.

mod backend;
mod blocking_iter;
mod builder;
mod generation;
#[cfg(all(shuttle, test))]
mod models;
mod slot;
mod spawned;
mod watch;

pub use blocking_iter::BlockingStream;
pub use builder::{EventLoopPoolBuilder, EventLoopSettings};

use std::{future::Future, num::NonZeroUsize, sync::Arc};

use futures_core::Stream;
use outwork_core::{
    BuildError, NoRoom, Registry, TaskHandle, WouldDeadlock, delegate_executor, engine::Engine,
};

use self::{
    backend::{LoopBackend, is_loop_of},
    spawned::Spawned,
};
use crate::{room, thread_pool::TrySpawnError};

/// Runs futures on a fixed set of event loops, each a single-threaded tokio runtime.
///
/// A task stays on the loop that it was given to, so its future need not be `Send`; see
/// [`spawn_local`](Self::spawn_local). New work goes to the loop that has the least.
/// Synchronous bodies never run on a loop: they go to a thread pool beside it.
///
/// # Delivery
///
/// At most once: what had not ended when the process dies is gone.
///
/// # Cancellation and stuck loops
///
/// A future is dropped at its next await. One that does not await holds up its loop: new work
/// is routed around it, and after [`replace_after`](EventLoopPoolBuilder::replace_after)
/// the loop gets another thread, while the tasks that had started on the old one wait for the
/// stuck one to return.
///
/// # Shutdown
///
/// As [`Shutdown`](outwork_core::Shutdown) says. Dropping the pool cancels what waits, lets
/// what runs finish, and waits for neither.
///
/// # Examples
///
/// ```
/// use outwork_local::EventLoopPool;
///
/// let pool = EventLoopPool::builder().loops(2).build()?;
/// let mut handle = pool.spawn(async { 6 * 7 });
/// assert_eq!(handle.wait()?.into_result()?, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct EventLoopPool {
    engine: Engine<LoopBackend>,
}

delegate_executor!(impl[] for EventLoopPool => engine);

/// There is no loop of that number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no loop {index}; the pool has {loops}, from 0")]
pub struct NoSuchLoop {
    index: usize,
    loops: usize,
}

impl EventLoopPool {
    /// Starts to say what pool it is to be.
    pub fn builder() -> EventLoopPoolBuilder {
        EventLoopPoolBuilder::default()
    }

    /// A pool with one loop for each CPU that this process may use.
    ///
    /// # Errors
    ///
    /// When the system refuses a thread or a descriptor.
    pub fn new(registry: Arc<Registry>) -> Result<Self, BuildError> {
        Self::builder().registry(registry).build()
    }

    /// How many loops there are.
    #[must_use]
    pub fn loops(&self) -> usize {
        self.engine.backend().loops()
    }

    /// Runs a future on the loop that has the least to do; of several, the first.
    ///
    /// While the pool is full the calling thread waits for room; on one of its own loops it
    /// never waits. On a pool that is shut down the handle resolves as rejected.
    pub fn spawn<F>(&self, future: F) -> TaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn_local(move || future)
    }

    /// Runs a future that is made on its loop and may not leave it.
    ///
    /// As [`spawn`](Self::spawn) otherwise.
    pub fn spawn_local<M, F>(&self, make: M) -> TaskHandle<F::Output>
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future + 'static,
        F::Output: Send + 'static,
    {
        match room::enter(&self.engine) {
            Ok(()) => self.enqueue(None, make),
            Err(_closed) => Spawned::rejected(self.engine.id(), make),
        }
    }

    /// Runs a future if there is room now.
    ///
    /// # Errors
    ///
    /// The future, when there is none or the pool is shut down.
    pub fn try_spawn<F>(&self, future: F) -> Result<TaskHandle<F::Output>, TrySpawnError<F>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        match self.engine.admission().try_enter() {
            Ok(()) => Ok(self.enqueue(None, move || future)),
            Err(reason) => Err(TrySpawnError::new(future, reason)),
        }
    }

    /// Waits for room, then runs a future; on one of its own loops it never waits.
    ///
    /// # Errors
    ///
    /// When the pool is shut down.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is ready: nothing was spawned.
    pub async fn spawn_when_free<F>(&self, future: F) -> Result<TaskHandle<F::Output>, NoRoom>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        room::reserve(&self.engine).await?.entrust();
        Ok(self.enqueue(None, move || future))
    }

    /// Runs a future on the loop of that number, from 0, however much that has to do.
    ///
    /// # Errors
    ///
    /// When there is no such loop.
    pub fn submit_to<F>(&self, index: usize, future: F) -> Result<TaskHandle<F::Output>, NoSuchLoop>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let loops = self.loops();
        if index >= loops {
            return Err(NoSuchLoop { index, loops });
        }
        Ok(self.enqueue_on(index, future))
    }

    /// Runs a future on a loop that the key chooses: the same key, the same loop.
    pub fn submit_keyed<F>(&self, key: u64, future: F) -> TaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let index = usize::try_from(key % self.loops() as u64).unwrap_or(0);
        self.enqueue_on(index, future)
    }

    fn enqueue_on<F>(&self, index: usize, future: F) -> TaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        match room::enter(&self.engine) {
            Ok(()) => self.enqueue(Some(index), move || future),
            Err(_closed) => Spawned::rejected(self.engine.id(), move || future),
        }
    }

    /// Runs a stream on a loop and yields its items on this thread.
    ///
    /// At most `prefetch` items wait to be taken; the next one is made when there is room for it.
    /// A stream that panics, or whose pool is shut down, yields the error after the items before
    /// it. Dropping the iterator drops the stream, on its own loop.
    ///
    /// # Errors
    ///
    /// On one of the pool's own loops, which it would stop.
    pub fn blocking_iter<M, S>(
        &self,
        make: M,
        prefetch: NonZeroUsize,
    ) -> Result<BlockingStream<S::Item>, WouldDeadlock>
    where
        M: FnOnce() -> S + Send + 'static,
        S: Stream + 'static,
        S::Item: Send + 'static,
    {
        if self.is_here() {
            return Err(WouldDeadlock);
        }
        Ok(BlockingStream::start(self, make, prefetch))
    }

    pub(crate) const fn engine(&self) -> &Engine<LoopBackend> {
        &self.engine
    }

    /// Whether this thread is one of the loops, which may not block on the pool.
    pub(crate) fn is_here(&self) -> bool {
        is_loop_of(self.engine.id())
    }

    /// Queues a future whose place was taken; its loop gives the place back.
    fn enqueue<M, F>(&self, index: Option<usize>, make: M) -> TaskHandle<F::Output>
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future + 'static,
        F::Output: Send + 'static,
    {
        let spawned = Spawned::new(self.engine.id(), self.engine.hub(), make);
        self.engine.backend().enqueue(index, Arc::clone(&spawned) as _);
        TaskHandle::new(spawned)
    }
}
