//! Code of users that panics on a loop.

use outwork_core::{Shutdown, State, TaskErrorKind};

use super::{assert_loads_are_equal, block_loop, named, pool, thread_name};
use crate::support::{
    Bomb, Gate, LATER, ON_PURPOSE, drain, outcome, panic_on_purpose, stop, value,
};

#[test]
fn a_panic_in_a_future_or_in_what_makes_it_ends_only_that() {
    let pool = pool(1);
    let before = value(pool.spawn(async { std::thread::current().id() }));
    let in_future = pool.spawn(async {
        tokio::task::yield_now().await;
        panic_on_purpose()
    });
    let in_factory = pool.spawn_local(|| -> std::future::Ready<()> { panic_on_purpose() });
    for handle in [in_future, in_factory] {
        let error = outcome(handle).into_result().unwrap_err();
        assert_eq!((error.kind(), error.message()), (&TaskErrorKind::Panicked, ON_PURPOSE));
    }
    assert_eq!(value(pool.spawn(async { std::thread::current().id() })), before);
}

#[test]
fn destructors_that_panic_are_contained() {
    let (pool, name) = named(2);
    for _ in 0..10 {
        // In the result, that nobody takes.
        let gate = Gate::new();
        let at = gate.clone();
        drop(pool.spawn(async move {
            at.opened().await;
            Bomb
        }));
        gate.open();
        // In the future, after its end.
        let held = pool.spawn(Held { _bomb: Bomb });
        assert_eq!(outcome(held).state(), State::Succeeded);
        // In what would have made the future.
        let gate = Gate::new();
        let blocking = block_loop(&pool, 0, &gate);
        let bomb = Bomb;
        let queued = pool.submit_to(0, async move { std::mem::forget(bomb) }).unwrap();
        queued.cancel();
        assert_eq!(outcome(queued).state(), State::Cancelled);
        gate.open();
        value(blocking);
    }
    assert_loads_are_equal(&pool, &name);
    drain(&pool);
}

/// A future whose destructor panics after it is ready.
struct Held {
    _bomb: Bomb,
}

impl Future for Held {
    type Output = ();

    fn poll(
        self: std::pin::Pin<&mut Self>,
        _cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<()> {
        std::task::Poll::Ready(())
    }
}

#[test]
fn destructors_that_panic_in_a_shutdown_are_contained() {
    let (pool, gate) = (pool(1), Gate::new());
    let blocking = block_loop(&pool, 0, &gate);
    let queued = [Bomb, Bomb].map(|bomb| pool.spawn(async move { std::mem::forget(bomb) }));
    stop(&pool, Shutdown::cancel_pending(LATER).wait(false));
    queued.into_iter().for_each(|handle| assert_eq!(outcome(handle).state(), State::Cancelled));
    gate.open();
    value(blocking);
    assert!(drain(&pool).stopped);
}

#[test]
fn a_panic_in_a_local_task_of_tokio_harms_nobody() {
    let (pool, name) = named(1);
    let handle = pool.spawn_local(|| async {
        let inner = tokio::task::spawn_local(async { panic_on_purpose() });
        let error: tokio::task::JoinError = inner.await.map(|(): ()| ()).unwrap_err();
        (error.is_panic(), thread_name())
    });
    assert_eq!(value(handle), (true, format!("{name}-0")));
}
