//! procspawn's pool with two processes.

use crate::window::{self, Load};

/// Makes this process a child of procspawn, if it has started it.
pub(crate) fn enter() {
    procspawn::init();
}

/// Tasks per second of a function that returns its argument.
pub(crate) fn rate(load: Load) -> anyhow::Result<f64> {
    let pool = procspawn::Pool::new(2)?;
    let spawn = || procspawn::spawn!(in pool, (() => value) || value);
    let wait = |handle: procspawn::JoinHandle<()>| handle.join().expect("the function returns");
    let nanos = window::drive(load, spawn, wait);
    pool.shutdown();
    Ok(1e9 / nanos)
}
