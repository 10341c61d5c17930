//! The event-loop pool: stuck, cancelled, called from inside itself, and shut down while busy.

mod blocking_iter;
mod build;
mod cancel;
mod events;
mod idle;
mod nesting;
mod panics;
mod place;
mod shutdown;
mod stuck;
mod sync_bodies;

use std::{
    num::NonZeroUsize,
    sync::mpsc::{self, Receiver, Sender},
    thread,
};

use outwork_core::{Executor, TaskHandle};
use outwork_local::EventLoopPool;

use crate::support::{Gate, receive, unique, wait_until};

fn pool(loops: usize) -> EventLoopPool {
    named(loops).0
}

fn named(loops: usize) -> (EventLoopPool, String) {
    let name = unique("l");
    (EventLoopPool::builder().loops(loops).name(&name).build().unwrap(), name)
}

fn bounded(loops: usize, limit: usize) -> EventLoopPool {
    let limit = NonZeroUsize::new(limit).unwrap();
    EventLoopPool::builder().loops(loops).limit(limit).name(unique("l")).build().unwrap()
}

/// The name of the thread that runs this.
fn thread_name() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

/// Blocks the loop of that number until the gate is opened, as no future should.
fn block_loop(pool: &EventLoopPool, index: usize, gate: &Gate) -> TaskHandle<()> {
    let (started, starts) = mpsc::channel();
    let gate = gate.clone();
    let handle = pool.submit_to(index, async move {
        started.send(()).unwrap();
        gate.wait();
    });
    receive("the future that is to block its loop", &starts);
    handle.unwrap()
}

/// A future that tells which thread it is on and then waits for the gate.
async fn linger(gate: Gate, threads: Sender<String>) {
    threads.send(thread_name()).unwrap();
    gate.opened().await;
}

/// Asserts that no loop counts what has ended: the next futures go to the loops in turn.
fn assert_loads_are_equal(pool: &EventLoopPool, name: &str) {
    wait_until("nothing is in flight", || pool.status().in_flight == 0);
    let (gate, (send, threads)) = (Gate::new(), mpsc::channel());
    let turns = 2 * pool.loops();
    let handles: Vec<_> = (0..turns).map(|_| next_thread(pool, &gate, &send, &threads)).collect();
    let expected: Vec<_> = (0..turns).map(|n| format!("{name}-{}", n % pool.loops())).collect();
    let (names, handles): (Vec<_>, Vec<_>) = handles.into_iter().unzip();
    assert_eq!(names, expected);
    gate.open();
    handles.into_iter().for_each(crate::support::value);
}

fn next_thread(
    pool: &EventLoopPool,
    gate: &Gate,
    send: &Sender<String>,
    threads: &Receiver<String>,
) -> (String, TaskHandle<()>) {
    let handle = pool.spawn(linger(gate.clone(), send.clone()));
    (receive("the thread of a future", threads), handle)
}
