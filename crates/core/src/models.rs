//! What threads can do to each other, tried in many orders by a model checker.
//!
//! `RUSTFLAGS="--cfg shuttle" cargo test -p outwork-core --lib --release models`
//!
//! The code is that which ships: [`sync`](crate::sync) gives it the checker's locks and
//! atomics, and each use of one is a place where another thread may go first. A thread that
//! sleeps for ever is a deadlock, which ends the test with the schedule that led to it.
//! All orders are sequentially consistent; what weaker orderings allow is argued where they
//! are used.

mod admission;
mod cancel;
mod join_cell;

use shuttle::{
    Config, Runner,
    scheduler::{PctScheduler, RandomScheduler},
};

/// How many orders are tried where a model is small.
pub(crate) const ORDERS: usize = 20_000;

/// Tries a model in many orders: at random, and with a few well-chosen changes of thread.
pub(crate) fn check(orders: usize, model: impl Fn() + Send + Sync + Clone + 'static) {
    Runner::new(RandomScheduler::new(orders), quiet()).run(model.clone());
    Runner::new(PctScheduler::new(3, orders), quiet()).run(model);
}

fn quiet() -> Config {
    let mut config = Config::new();
    config.silence_warnings = true;
    config
}
