//! What threads can do to each other, tried in many orders by a model checker.
//!
//! `cargo xtask models`
//!
//! The code is that which ships: [`sync`](crate::sync) gives it the checker's locks, atomics and
//! threads, and each use of one is a place where another thread may go first. A thread that
//! sleeps for ever is a deadlock, which ends the test with the schedule that led to it.
//! All orders are sequentially consistent; what weaker orderings allow is argued where they
//! are used.
//!
//! What is kept libraries' own, such as `event-listener` and `async-channel`, runs between two
//! such places, as if it took no time.

#[cfg(test)]
mod admission;
#[cfg(test)]
mod cancel;
#[cfg(test)]
mod event;
#[cfg(test)]
mod join_cell;
#[cfg(test)]
mod parker;
pub(crate) mod parking;
#[cfg(test)]
mod timer;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use shuttle::{
    Config, Runner,
    scheduler::{PctScheduler, RandomScheduler, Scheduler},
};

/// How many orders are tried of each kind when `OUTWORK_MODEL_ORDERS` does not say.
const ORDERS: usize = 5_000;

/// How many changes of thread at ill-chosen places a fault may need to be found for sure.
const CHANGES: usize = 3;

/// Tries a model in many orders: at random, and with a few ill-chosen changes of thread.
///
/// # Panics
///
/// When an order breaks the model; it says the how manyth.
pub fn check(model: impl Fn() + Send + Sync + 'static) {
    let model = Arc::new(model);
    run("random", RandomScheduler::new(orders()), &model);
    run("ill-chosen", PctScheduler::new(CHANGES, orders()), &model);
}

fn orders() -> usize {
    let orders = std::env::var("OUTWORK_MODEL_ORDERS").ok();
    orders.map_or(ORDERS, |orders| orders.parse().expect("OUTWORK_MODEL_ORDERS is a number"))
}

fn run(
    kind: &str,
    orders: impl Scheduler + 'static,
    model: &Arc<impl Fn() + Send + Sync + 'static>,
) {
    let tried = Arc::new(AtomicUsize::new(0));
    let (count, model) = (Arc::clone(&tried), Arc::clone(model));
    let ran = catch_unwind(AssertUnwindSafe(|| {
        Runner::new(orders, quiet()).run(move || {
            count.fetch_add(1, Ordering::Relaxed);
            model();
        })
    }));
    let tried = tried.load(Ordering::Relaxed);
    assert!(ran.is_ok(), "the {kind} order number {tried} broke the model");
}

fn quiet() -> Config {
    let mut config = Config::new();
    config.silence_warnings = true;
    config
}
