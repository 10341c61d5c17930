//! The thread that starts children.
//!
//! One thread for the life of the pool: whatever the system ties to the thread that started a
//! process, it does not end while the pool lives.

use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc, thread, time::Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use outwork_core::{BuildError, engine::WorkerToken};

use super::{Pool, keeper, roster::Order};

/// # Errors
///
/// When the system refuses the thread.
pub(super) fn start(
    pool: &Arc<Pool>,
    orders: Receiver<Order>,
    token: WorkerToken,
) -> Result<(), BuildError> {
    let pool = Arc::clone(pool);
    let name = format!("{}-spawn", pool.name);
    let thread = thread::Builder::new().name(name);
    let body = move || run(&pool, &orders, &token);
    thread
        .spawn(body)
        .map(drop)
        .map_err(|error| BuildError::system("the thread that starts workers", &error))
}

fn run(pool: &Arc<Pool>, orders: &Receiver<Order>, token: &WorkerToken) {
    let mut due = BinaryHeap::new();
    loop {
        let order = match due.peek() {
            Some(Reverse(at)) => orders.recv_deadline(*at),
            None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match order {
            Ok(Order::Start(at)) => due.push(Reverse(at)),
            Ok(Order::Hurry) => due = due.drain().map(|_| Reverse(Instant::now())).collect(),
            Ok(Order::Close) | Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {}
        }
        while let Some(Reverse(at)) = due.peek()
            && *at <= Instant::now()
        {
            due.pop();
            start_child(pool, token);
        }
    }
}

fn start_child(pool: &Arc<Pool>, token: &WorkerToken) {
    let started = pool.program.start().and_then(|started| keeper::start(pool, started, token));
    if let Err(error) = started {
        pool.start_failed(format!("the program was not started: {error}"));
    }
}
