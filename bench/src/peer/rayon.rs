//! rayon's thread pool with two threads.

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::window::{self, Load};

/// ns per task: `ThreadPool::spawn` of an empty closure that sends on a `oneshot` channel, received by the thread that spawned it.
pub(crate) fn spawn_and_await(load: Load) -> anyhow::Result<f64> {
    let pool = two_threads()?;
    Ok(window::drive(
        load,
        || {
            let (sender, receiver) = oneshot::channel();
            pool.spawn(move || {
                // The window holds every receiver until its value has come.
                let _ = sender.send(());
            });
            receiver
        },
        |receiver| receiver.recv().expect("the closure sends and does not panic"),
    ))
}

/// What `timed` (such as [`one_by_one::mean`](crate::one_by_one::mean)) makes of calls of `ThreadPool::install(|| ())` from a thread outside the pool.
pub(crate) fn install(timed: impl FnOnce(&mut dyn FnMut()) -> f64) -> anyhow::Result<f64> {
    let pool = two_threads()?;
    Ok(timed(&mut || pool.install(|| ())))
}

fn two_threads() -> anyhow::Result<ThreadPool> {
    Ok(ThreadPoolBuilder::new().num_threads(2).build()?)
}
