//! The runtimes that drive what runs on plain threads.

use std::{
    cell::OnceCell,
    rc::Rc,
    sync::{Mutex, OnceLock, PoisonError},
};

use outwork_core::{BoxFuture, BuildError, blocking::block_on};
use tokio::runtime::{Builder, Handle, Runtime};

/// The one runtime that drives timers and I/O for all executors without a runtime of their own.
///
/// It is started when it is first needed, has one thread, and lives as long as the process.
///
/// # Errors
///
/// When the system refuses its thread or its descriptors; the next call tries again.
pub(crate) fn shared() -> Result<&'static Handle, BuildError> {
    static SHARED: Shared = Shared::new();
    SHARED.get("the runtime for I/O", || {
        Builder::new_multi_thread().worker_threads(1).thread_name("outwork-io").enable_all().build()
    })
}

/// The runtime of this thread's own, which is built when it is first needed; `None` when the
/// system refuses its descriptors.
///
/// For what waits on the kernel and on nothing else, such as a command: its events reach this
/// thread without a detour over the shared runtime's. That detour took a tenth to a fifth of
/// the rate at which programs could be executed.
pub(crate) fn own() -> Option<Rc<Runtime>> {
    thread_local! {
        static OWN: OnceCell<Rc<Runtime>> = const { OnceCell::new() };
    }
    OWN.with(|own| {
        if own.get().is_none() {
            match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => drop(own.set(Rc::new(runtime))),
                Err(error) => tracing::debug!(%error, "a thread has no runtime of its own"),
            }
        }
        own.get().cloned()
    })
}

/// Runs a small future of the lifecycle, such as a teardown.
///
/// Apart from the timers and the I/O of bodies, which such a future stops if it blocks.
pub(crate) fn drive(future: BoxFuture<'static, ()>) {
    static LIFECYCLE: Shared = Shared::new();
    let runtime = LIFECYCLE.get("the runtime for hooks", || {
        Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("outwork-hooks")
            .enable_all()
            .build()
    });
    match runtime {
        Ok(runtime) => drop(runtime.spawn(future)),
        Err(error) => {
            tracing::error!(%error, "the end of a task is handled on the thread that came upon it");
            block_on(future);
        }
    }
}

/// A runtime that is started when it is first needed, and never stopped.
struct Shared {
    runtime: OnceLock<Runtime>,
    /// One at a time starts it: a second runtime would have to be dropped, which may not be
    /// done inside another runtime.
    starting: Mutex<()>,
}

impl Shared {
    const fn new() -> Self {
        Self { runtime: OnceLock::new(), starting: Mutex::new(()) }
    }

    fn get(
        &'static self,
        what: &str,
        start: impl FnOnce() -> std::io::Result<Runtime>,
    ) -> Result<&'static Handle, BuildError> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime.handle());
        }
        let _one = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime.handle());
        }
        let runtime = start().map_err(|error| BuildError::system(what, &error))?;
        Ok(self.runtime.get_or_init(|| runtime).handle())
    }
}
