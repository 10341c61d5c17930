//! [`ThreadPool`]: tasks and closures on threads of its own.

mod backend;
mod builder;
mod closure;
#[cfg(all(shuttle, test))]
mod models;
mod queue;
mod roster;
mod worker;

pub use builder::{ThreadPoolBuilder, ThreadPoolSettings};

pub(crate) use backend::ThreadBackend;

use std::sync::Arc;

use outwork_core::{
    BuildError, NoRoom, Registry, Slot, TaskHandle, delegate_executor, engine::Engine,
};

use self::closure::Closure;
use crate::room;

/// Runs tasks and closures on a bounded set of threads of its own.
///
/// Synchronous bodies may block, async bodies run to their end on the thread that takes them,
/// and commands are executed. A panic ends its task and not the thread. A task that blocks on
/// another task of the same pool gets a spare thread in its place.
///
/// # Delivery
///
/// At most once: what had not ended when the process dies is gone.
///
/// # Time limits and cancellation
///
/// A thread cannot be stopped from outside. A synchronous body is asked through its context;
/// one that ignores its time limit is reported at once, its thread is given up and replaced.
/// Async bodies stop at their next await, commands by signals to their process group.
///
/// # Shutdown
///
/// As [`Shutdown`](outwork_core::Shutdown) says. Dropping the pool cancels what waits, lets
/// what runs finish, and waits for neither.
///
/// # Examples
///
/// ```
/// use outwork_local::ThreadPool;
///
/// let pool = ThreadPool::builder().workers(2).build()?;
/// let mut handle = pool.spawn(|| (1..=10).product::<u64>());
/// assert_eq!(handle.wait()?.into_result()?, 3_628_800);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ThreadPool {
    engine: Engine<ThreadBackend>,
}

delegate_executor!(impl[] for ThreadPool => engine);

impl ThreadPool {
    /// Starts to say what pool it is to be.
    pub fn builder() -> ThreadPoolBuilder {
        ThreadPoolBuilder::default()
    }

    /// A pool with one thread for each CPU that this process may use.
    ///
    /// # Errors
    ///
    /// When the system refuses a thread.
    pub fn new(registry: Arc<Registry>) -> Result<Self, BuildError> {
        Self::builder().registry(registry).build()
    }

    /// Runs a closure and returns its handle.
    ///
    /// While the pool is full the calling thread waits for room; on a worker of this pool it
    /// never waits. On a pool that is shut down the handle resolves as rejected.
    ///
    /// A closure has no name, no options, and no context: once it runs it cannot be cancelled.
    /// It can be attached to by nobody; its id and its events are made when they are asked for.
    pub fn spawn<F, T>(&self, body: F) -> TaskHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        match room::enter(&self.engine) {
            Ok(()) => self.enqueue(body),
            Err(_closed) => Closure::rejected(self.engine.id(), body),
        }
    }

    /// Runs a closure if there is room now.
    ///
    /// # Errors
    ///
    /// The closure, when there is none or the pool is shut down.
    pub fn try_spawn<F, T>(&self, body: F) -> Result<TaskHandle<T>, TrySpawnError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        match self.engine.admission().try_enter() {
            Ok(()) => Ok(self.enqueue(body)),
            Err(reason) => Err(TrySpawnError::new(body, reason)),
        }
    }

    /// Waits for room for one closure; on a worker of this pool it never waits.
    ///
    /// # Errors
    ///
    /// When the pool is shut down.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future takes no room.
    pub async fn reserve(&self) -> Result<Permit<'_>, NoRoom> {
        Ok(Permit { pool: self, slot: room::reserve(&self.engine).await? })
    }

    /// Changes how many threads there are. Threads that are too many leave after their task.
    ///
    /// # Errors
    ///
    /// When it is 0 or beyond reason, or the system refuses a thread; the pool then goes on
    /// with those it has.
    pub fn resize(&self, workers: usize) -> Result<(), BuildError> {
        self.engine.backend().resize(workers)
    }

    /// Queues a closure whose place was taken; the worker that takes it gives the place back.
    fn enqueue<F, T>(&self, body: F) -> TaskHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let closure = Closure::new(self.engine.id(), self.engine.hub(), body);
        self.engine.backend().enqueue_closure(Arc::clone(&closure) as _);
        TaskHandle::new(closure)
    }
}

/// Room for one closure.
#[derive(Debug)]
pub struct Permit<'a> {
    pool: &'a ThreadPool,
    slot: Slot,
}

impl Permit<'_> {
    /// Runs a closure in the reserved room. On a pool that was shut down meanwhile the handle
    /// resolves as rejected.
    pub fn spawn<F, T>(self, body: F) -> TaskHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let engine = &self.pool.engine;
        if engine.admission().is_closed() {
            return Closure::rejected(engine.id(), body);
        }
        self.slot.entrust();
        self.pool.enqueue(body)
    }
}

/// There was no room for a closure, which is given back.
#[derive(thiserror::Error)]
#[error("{}", match .reason {
    NoRoom::Full => "the pool is full",
    NoRoom::Closed => "the pool is shut down",
})]
pub struct TrySpawnError<F> {
    body: F,
    reason: NoRoom,
}

impl<F> TrySpawnError<F> {
    pub(crate) const fn new(body: F, reason: NoRoom) -> Self {
        Self { body, reason }
    }

    /// Why there was no room.
    #[must_use]
    pub const fn reason(&self) -> NoRoom {
        self.reason
    }

    /// Takes the closure back.
    #[must_use]
    pub fn into_body(self) -> F {
        self.body
    }
}

impl<F> std::fmt::Debug for TrySpawnError<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TrySpawnError({:?})", self.reason)
    }
}
