//! The runtime that drives timers and I/O for bodies that run on plain threads.

use std::sync::OnceLock;

use outwork_core::BuildError;
use tokio::runtime::{Builder, Handle, Runtime};

/// The one runtime that all executors without a runtime of their own share.
///
/// It is started when it is first needed, has one thread, and lives as long as the process.
///
/// # Errors
///
/// When the system refuses its thread or its descriptors; the next call tries again.
pub(crate) fn shared() -> Result<&'static Handle, BuildError> {
    static SHARED: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = SHARED.get() {
        return Ok(runtime.handle());
    }
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("outwork-io")
        .enable_all()
        .build()
        .map_err(|error| BuildError::system("the runtime for I/O", &error))?;
    Ok(SHARED.get_or_init(|| runtime).handle())
}
