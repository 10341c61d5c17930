//! The sliding window: the loop that both sides of a throughput row pay.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

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

#[cfg(test)]
mod tests;
