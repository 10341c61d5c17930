//! [`Runtime`]: the thread that all of this crate's input and output happens on.

use std::{future::Future, sync::Arc, thread};

use super::{ConnectError, ConnectErrorKind, SharedTask};

/// A runtime with a thread of its own, so that callers need none.
///
/// When the last handle is dropped the thread ends, and with it what still ran on it.
#[derive(Debug, Clone)]
pub(crate) struct Runtime {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    handle: tokio::runtime::Handle,
    /// Dropped to end the thread.
    _alive: async_channel::Sender<()>,
}

impl Runtime {
    pub(crate) fn start(name: &str) -> Result<Self, ConnectError> {
        let failed = |error: std::io::Error| {
            let message = format!("the thread for the broker could not be started: {error}");
            ConnectError::new(ConnectErrorKind::Broker, message)
        };
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let (alive, gone) = async_channel::bounded::<()>(1);
        let drive = move || {
            // Ends with an error when the other side is dropped, which is what is waited for.
            let _ = runtime.block_on(gone.recv());
            runtime.shutdown_background();
        };
        thread::Builder::new().name(name.to_owned()).spawn(drive).map_err(failed)?;
        Ok(Self { shared: Arc::new(Shared { handle, _alive: alive }) })
    }

    /// Runs a future on the thread, detached.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        drop(self.shared.handle.spawn(future));
    }

    /// The same, and keeps the thread until the future has ended.
    pub(crate) fn spawn_kept(&self, future: impl Future<Output = ()> + Send + 'static) {
        let runtime = self.clone();
        self.spawn(async move {
            future.await;
            drop(runtime);
        });
    }

    /// The same for a future that others may poll as well.
    pub(crate) fn spawn_shared(
        &self,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> SharedTask {
        let (task, run) = SharedTask::new(self.shared.handle.clone(), future);
        self.spawn_kept(run);
        task
    }

    /// Runs a future on the thread and waits for it, from anywhere.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        future: impl Future<Output = Result<T, ConnectError>> + Send + 'static,
    ) -> Result<T, ConnectError> {
        match self.shared.handle.spawn(future).await {
            Ok(result) => result,
            Err(error) => {
                let message = format!("the thread for the broker failed: {error}");
                Err(ConnectError::new(ConnectErrorKind::Broker, message))
            }
        }
    }
}
