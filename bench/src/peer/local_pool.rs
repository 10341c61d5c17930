//! tokio-util's `LocalPoolHandle` with two workers.

use tokio_util::task::LocalPoolHandle;

use crate::{
    block_on::block_on,
    window::{self, Load},
};

/// ns per task: `spawn_pinned(|| async {})`, its `JoinHandle` awaited by the thread that spawned it.
pub(crate) fn spawn_and_await(load: Load) -> anyhow::Result<f64> {
    let pool = LocalPoolHandle::new(2);
    Ok(block_on(window::drive_async(
        load,
        || pool.spawn_pinned(|| async {}),
        |result| result.expect("the future does not panic"),
    )))
}
