//! [`BackgroundLoop`]: one event loop, for those who need no more.

use std::{
    future::Future,
    ops::Deref,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use outwork_core::{
    BuildError, CallError, Registry, Shutdown, TaskHandle, WaitError, WouldDeadlock,
    delegate_executor,
};

use crate::event_loop::{EventLoopPool, EventLoopPoolBuilder};

/// One event loop in the background: an [`EventLoopPool`] of one, with everything that has.
///
/// The process has a default one, which starts when it is first asked for and can be replaced.
///
/// # Delivery and shutdown
///
/// As for [`EventLoopPool`].
///
/// # Examples
///
/// ```
/// use outwork_local::BackgroundLoop;
///
/// let background = BackgroundLoop::global()?;
/// let mut handle = background.spawn(async { "done" });
/// assert_eq!(handle.wait()?.into_result()?, "done");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct BackgroundLoop {
    pool: EventLoopPool,
    /// It was the default of the process: what it has accepted is finished even when the last
    /// reference goes.
    drains: AtomicBool,
}

static GLOBAL: Mutex<Option<Arc<BackgroundLoop>>> = Mutex::new(None);

impl BackgroundLoop {
    /// Starts a loop that runs these tasks by name.
    ///
    /// # Errors
    ///
    /// When the system refuses a thread or a descriptor.
    pub fn new(registry: impl Into<Arc<Registry>>) -> Result<Self, BuildError> {
        Self::from_builder(EventLoopPool::builder().name("background").registry(registry))
    }

    /// Starts a loop with the settings of a pool; how many loops that has does not matter.
    ///
    /// # Errors
    ///
    /// As for [`EventLoopPoolBuilder::build`].
    pub fn from_builder(builder: EventLoopPoolBuilder) -> Result<Self, BuildError> {
        Ok(Self {
            pool: builder.loops(1).kind("background-loop").build()?,
            drains: AtomicBool::new(false),
        })
    }

    /// The default of the process, started now if it was not yet.
    ///
    /// # Errors
    ///
    /// When it has to be started and cannot be.
    pub fn global() -> Result<Arc<Self>, BuildError> {
        let mut global = GLOBAL.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(current) = &*global {
            return Ok(Arc::clone(current));
        }
        let started = Arc::new(Self::new(Registry::new())?);
        *global = Some(Arc::clone(&started));
        Ok(started)
    }

    /// Makes this loop the default of the process, and returns the one that was.
    ///
    /// That one goes on for those who hold it, and finishes what it has accepted also when
    /// nobody does.
    pub fn replace_global(self: Arc<Self>) -> Option<Arc<Self>> {
        let mut global = GLOBAL.lock().unwrap_or_else(PoisonError::into_inner);
        let old = global.replace(self);
        drop(global);
        if let Some(old) = &old {
            old.drains.store(true, Ordering::Relaxed);
        }
        old
    }

    /// Runs a future and blocks until it is ready.
    ///
    /// # Errors
    ///
    /// On the loop itself, where it is not run, and when the future panics or is cancelled.
    pub fn run<F>(&self, future: F) -> Result<F::Output, CallError>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        if self.pool.is_here() {
            return Err(WaitError::WouldDeadlock(WouldDeadlock).into());
        }
        let mut handle: TaskHandle<F::Output> = self.pool.spawn(future);
        handle.wait()?.into_call_result()
    }
}

delegate_executor!(impl[] for BackgroundLoop => pool);

impl Deref for BackgroundLoop {
    type Target = EventLoopPool;

    fn deref(&self) -> &EventLoopPool {
        &self.pool
    }
}

impl Drop for BackgroundLoop {
    fn drop(&mut self) {
        if self.drains.load(Ordering::Relaxed) {
            self.pool.engine().begin_shutdown(Shutdown::drain(Duration::MAX));
        }
    }
}
