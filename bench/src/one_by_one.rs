//! Calls one at a time: the next starts when the last has returned.

use std::time::Instant;

use crate::sample::median;

/// Returns the mean ns of `calls` calls, with one reading of the clock before and one after all of them.
pub(crate) fn mean(calls: usize, mut call: impl FnMut()) -> f64 {
    warm_up(calls, &mut call);
    let start = Instant::now();
    for _ in 0..calls {
        call();
    }
    start.elapsed().as_nanos() as f64 / calls as f64
}

/// Returns the median ns of `calls` calls, each between two readings of the clock (about 30 ns on both sides alike).
pub(crate) fn p50(calls: usize, mut call: impl FnMut()) -> f64 {
    warm_up(calls, &mut call);
    let mut times = Vec::with_capacity(calls);
    for _ in 0..calls {
        let start = Instant::now();
        call();
        times.push(start.elapsed().as_nanos() as f64);
    }
    median(&times).unwrap_or_default()
}

/// The same with calls that are futures.
pub(crate) async fn p50_async(calls: usize, mut call: impl AsyncFnMut()) -> f64 {
    for _ in 0..calls / 10 {
        call().await;
    }
    let mut times = Vec::with_capacity(calls);
    for _ in 0..calls {
        let start = Instant::now();
        call().await;
        times.push(start.elapsed().as_nanos() as f64);
    }
    median(&times).unwrap_or_default()
}

fn warm_up(calls: usize, call: &mut impl FnMut()) {
    for _ in 0..calls / 10 {
        call();
    }
}
