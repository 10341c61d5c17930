//! [`ProcessPool`]: tasks in processes of their own.
//!
//! `wire` is the protocol, without any I/O; `parent` is the pool's side of it, `child` the
//! worker's.

mod builder;
mod health;

#[cfg(unix)]
mod backend;
#[cfg(unix)]
mod child;
#[cfg(unix)]
mod parent;
#[cfg(unix)]
mod sys;
#[cfg(unix)]
mod wire;

#[cfg(not(unix))]
mod unsupported;

pub use builder::{ProcessPoolBuilder, ProcessPoolSettings, WorkerOutput};
#[cfg(unix)]
pub use child::{is_worker, worker_entry};
pub use health::WorkerHealth;
#[cfg(not(unix))]
pub use unsupported::{is_worker, worker_entry};

#[cfg(unix)]
use backend::ProcessBackend;
#[cfg(not(unix))]
use unsupported::ProcessBackend;

use std::sync::Arc;

use outwork_core::{BuildError, Registry, delegate_executor, engine::Engine};

/// Runs tasks in processes of their own: a task that aborts, is killed or eats all memory takes
/// only itself with it.
///
/// The workers are this very program, started again, or another one that was named. Either has
/// to call [`worker_entry`] with the same tasks first in `main`. Tasks are
/// addressed by their names; closures cannot be sent.
///
/// # Delivery
///
/// At most once. A task whose worker is lost while its body runs ends as
/// [`WorkerLost`](outwork_core::TaskErrorKind::WorkerLost), or runs again if it is
/// [idempotent](outwork_core::TaskOptions::idempotent). Tasks that the worker had not begun go
/// to another one.
///
/// # Time limits and cancellation
///
/// Both are enforced, whatever the body does: it sees the wish that it stops, what it has
/// started gets SIGTERM, and when its grace is over its worker is killed with everything that
/// it has started. The task has ended when that process is dead. A worker takes its place.
///
/// # When this process dies
///
/// So do the workers, with the programs of their tasks, also by SIGKILL. A program that leaves
/// its session by itself is beyond reach.
///
/// # Output
///
/// What a task writes to its context is captured as everywhere. What it prints is captured when
/// its options have a target for the stream; otherwise it goes where [`WorkerOutput`] says.
///
/// # Shutdown
///
/// As [`Shutdown`](outwork_core::Shutdown) says. Dropping the pool cancels what waits, lets
/// what runs finish, and waits for neither.
#[derive(Debug)]
pub struct ProcessPool {
    engine: Engine<ProcessBackend>,
}

delegate_executor!(impl[] for ProcessPool => engine);

impl ProcessPool {
    /// Starts to say what pool it is to be.
    pub fn builder() -> ProcessPoolBuilder {
        ProcessPoolBuilder::default()
    }

    /// A pool with one worker for each CPU that this process may use.
    ///
    /// # Errors
    ///
    /// As [`ProcessPoolBuilder::build`].
    pub fn new(registry: Arc<Registry>) -> Result<Self, BuildError> {
        Self::builder().registry(registry).build()
    }
}

#[cfg(unix)]
impl ProcessPool {
    fn start(
        settings: ProcessPoolSettings,
        registry: Arc<Registry>,
        options: outwork_core::engine::EngineOptions,
    ) -> Result<Self, BuildError> {
        let tasks = Arc::clone(&registry);
        let engine = Engine::build(registry, options, |engine| {
            ProcessBackend::new(engine, settings, &tasks)
        })?;
        Ok(Self { engine })
    }

    /// Whether its workers are there, and if not, why.
    #[must_use]
    pub fn health(&self) -> WorkerHealth {
        self.engine.backend().health()
    }
}

/// Reads bytes as the two sides of a pool would. For the fuzz target, and for nothing else.
#[cfg(all(fuzzing, unix))]
#[doc(hidden)]
pub fn fuzz_wire(bytes: &[u8]) {
    wire::fuzz(bytes);
}
