//! The sliding window: the loop that both sides of a throughput row pay.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream::FuturesUnordered};

/// How many tasks a throughput row keeps in flight.
pub(crate) const IN_FLIGHT: usize = 1024;

/// How many tasks a run starts, and how many of them are in flight at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) tasks: usize,
    pub(crate) in_flight: usize,
}

impl Load {
    /// A tenth of the tasks, to fill allocator caches and wake workers outside the clock.
    fn warm_up(self) -> Self {
        Self { tasks: self.tasks / 10, ..self }
    }

    fn per_task(self, elapsed: Duration) -> f64 {
        elapsed.as_nanos() as f64 / self.tasks as f64
    }
}

/// Returns the ns per task of starting `load.tasks` tasks from this thread and waiting for each.
///
/// Whenever the window is full, the oldest handle is waited for before the next task starts.
pub(crate) fn drive<H>(load: Load, mut spawn: impl FnMut() -> H, mut wait: impl FnMut(H)) -> f64 {
    slide(load.warm_up(), &mut spawn, &mut wait);
    load.per_task(slide(load, &mut spawn, &mut wait))
}

fn slide<H>(load: Load, spawn: &mut impl FnMut() -> H, wait: &mut impl FnMut(H)) -> Duration {
    let mut window = VecDeque::with_capacity(load.in_flight);
    let start = Instant::now();
    for _ in 0..load.tasks {
        if window.len() == load.in_flight
            && let Some(oldest) = window.pop_front()
        {
            wait(oldest);
        }
        window.push_back(spawn());
    }
    window.into_iter().for_each(wait);
    start.elapsed()
}

/// The same as [`drive`] with handles that are futures; `check` sees what each resolves to.
pub(crate) async fn drive_async<H: Future>(
    load: Load,
    mut spawn: impl FnMut() -> H,
    mut check: impl FnMut(H::Output),
) -> f64 {
    slide_async(load.warm_up(), &mut spawn, &mut check).await;
    load.per_task(slide_async(load, &mut spawn, &mut check).await)
}

async fn slide_async<H: Future>(
    load: Load,
    spawn: &mut impl FnMut() -> H,
    check: &mut impl FnMut(H::Output),
) -> Duration {
    let mut window = VecDeque::with_capacity(load.in_flight);
    let start = Instant::now();
    for _ in 0..load.tasks {
        if window.len() == load.in_flight
            && let Some(oldest) = window.pop_front()
        {
            check(oldest.await);
        }
        window.push_back(spawn());
    }
    for handle in window {
        check(handle.await);
    }
    start.elapsed()
}

/// The same with calls that move only while they are polled, and that end in any order.
pub(crate) async fn drive_calls<C: Future>(
    load: Load,
    mut call: impl FnMut() -> C,
    mut check: impl FnMut(C::Output),
) -> f64 {
    keep_full(load.warm_up(), &mut call, &mut check).await;
    load.per_task(keep_full(load, &mut call, &mut check).await)
}

async fn keep_full<C: Future>(
    load: Load,
    call: &mut impl FnMut() -> C,
    check: &mut impl FnMut(C::Output),
) -> Duration {
    let mut window = FuturesUnordered::new();
    let start = Instant::now();
    for _ in 0..load.tasks {
        if window.len() == load.in_flight
            && let Some(ended) = window.next().await
        {
            check(ended);
        }
        window.push(call());
    }
    while let Some(ended) = window.next().await {
        check(ended);
    }
    start.elapsed()
}

#[cfg(test)]
mod tests;
