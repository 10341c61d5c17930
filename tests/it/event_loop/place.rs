//! Which loop a future is on, and that it stays there.

use std::{
    rc::Rc,
    sync::{Arc, mpsc},
    thread,
};

use futures_util::future::join_all;
use outwork_core::{Cancel, Executor, NoRoom, Registry, State, TaskDef, blocking::block_on_for};

use super::{assert_loads_are_equal, block_loop, bounded, linger, named, pool, thread_name};
use crate::support::{
    Bomb, Gate, PATIENCE, ms, outcome, panic_on_purpose, receive, register_async, submit, task,
    unique, value, wait_until,
};

#[test]
fn new_work_goes_to_the_loop_that_has_least_and_of_several_to_the_first() {
    let (pool, name) = named(3);
    assert_loads_are_equal(&pool, &name);
    // One loop has more than the others.
    let gate = Gate::new();
    let (send, threads) = mpsc::channel();
    let first = pool.submit_to(0, linger(gate.clone(), send.clone())).unwrap();
    assert_eq!(receive("the thread", &threads), format!("{name}-0"));
    let handles: Vec<_> = [1, 2, 0, 1, 2]
        .into_iter()
        .map(|index| {
            let handle = pool.spawn(linger(gate.clone(), send.clone()));
            assert_eq!(receive("the thread", &threads), format!("{name}-{index}"));
            handle
        })
        .collect();
    gate.open();
    handles.into_iter().chain([first]).for_each(value);
    assert_loads_are_equal(&pool, &name);
}

#[test]
fn what_has_ended_in_whatever_way_is_no_load() {
    const PANICS: TaskDef<(), ()> = TaskDef::new("panics");
    const PENDING: TaskDef<(), ()> = TaskDef::new("pending");
    let mut registry = Registry::new();
    register_async(&mut registry, PANICS, |_| async { panic_on_purpose() });
    register_async(&mut registry, PENDING, |_| std::future::pending());
    let name = unique("l");
    let builder = outwork_local::EventLoopPool::builder().loops(2).name(&name);
    let pool = builder.registry(registry).build().unwrap();
    for _ in 0..5 {
        let panics = pool.spawn(async { panic_on_purpose() });
        assert_eq!(outcome::<()>(panics).state(), State::Failed);
        let factory = pool.spawn_local(|| -> std::future::Ready<()> { panic_on_purpose() });
        assert_eq!(outcome(factory).state(), State::Failed);
        let destructor = pool.spawn(async {
            let _bomb = Bomb;
            std::future::pending::<()>().await;
        });
        wait_until("the future runs", || destructor.state() == State::Running);
        assert_eq!(destructor.cancel(), Cancel::Requested);
        assert_eq!(outcome(destructor).state(), State::Cancelled);
        let unheld = Gate::new();
        let at = unheld.clone();
        drop(pool.spawn(async move {
            at.opened().await;
            Bomb
        }));
        unheld.open();
        drop(submit(&pool, task(PANICS)));
        let pending = submit(&pool, task(PENDING));
        pending.cancel();
        assert_eq!(outcome(pending).state(), State::Cancelled);
        // Cancelled while its loop cannot take it.
        let gate = Gate::new();
        let blocking = block_loop(&pool, 1, &gate);
        let queued = pool.submit_to(1, async {}).unwrap();
        assert_eq!(queued.cancel(), Cancel::Confirmed);
        assert_eq!(outcome(queued).state(), State::Cancelled);
        gate.open();
        value(blocking);
    }
    assert_loads_are_equal(&pool, &name);
}

#[test]
fn a_future_that_may_not_leave_its_thread_is_made_on_it() {
    let pool = pool(2);
    let handle = pool.spawn_local(|| {
        let shared = Rc::new(std::cell::Cell::new(0));
        async move {
            for _ in 0..10 {
                let other = Rc::clone(&shared);
                tokio::task::spawn_local(async move { other.set(other.get() + 1) }).await.unwrap();
            }
            shared.get()
        }
    });
    assert_eq!(value(handle), 10);
}

#[test]
fn a_loop_that_does_not_exist_is_an_error_that_names_how_many_there_are() {
    let (pool, name) = named(2);
    let on = |index| pool.submit_to(index, async { thread_name() });
    for index in 0..2 {
        assert_eq!(value(on(index).unwrap()), format!("{name}-{index}"));
    }
    for index in [2, usize::MAX] {
        assert!(on(index).unwrap_err().to_string().contains("has 2"));
    }
    assert_eq!(pool.status().in_flight, 0);
}

#[test]
fn the_same_key_chooses_the_same_thread() {
    let pool = pool(3);
    for key in [0, 1, 2, 3, 7, u64::MAX] {
        let threads: Vec<_> =
            (0..20).map(|_| value(pool.submit_keyed(key, async { thread_name() }))).collect();
        assert!(threads.iter().all(|thread| *thread == threads[0]), "{key}: {threads:?}");
    }
}

#[test]
fn a_task_stays_on_its_loop_under_load() {
    let pool = Arc::new(pool(3));
    let handles: Vec<_> = (0..300_u64)
        .map(|n| {
            pool.spawn(async move {
                let before = thread::current().id();
                for turn in 0..30 {
                    match (n + turn) % 3 {
                        0 => tokio::task::yield_now().await,
                        1 => tokio::time::sleep(ms(n % 3)).await,
                        _ => drop(tokio::task::spawn_blocking(|| ()).await),
                    }
                    assert_eq!(thread::current().id(), before);
                }
            })
        })
        .collect();
    handles.into_iter().for_each(value);
}

#[test]
fn timers_sockets_and_local_tasks_of_tokio_work_in_a_body() {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };
    let pool = pool(2);
    let listener = pool.submit_to(0, async { TcpListener::bind("127.0.0.1:0").await.unwrap() });
    let listener = value(listener.unwrap());
    // A socket belongs to the loop that made it, which goes on serving it.
    let address = listener.local_addr().unwrap();
    let echo = pool.submit_to(0, async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (mut read, mut write) = stream.split();
        tokio::io::copy(&mut read, &mut write).await.unwrap()
    });
    let client = pool.submit_to(1, async move {
        let mut stream = TcpStream::connect(address).await.unwrap();
        tokio::time::sleep(ms(1)).await;
        stream.write_all(&[7; 100_000]).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut back = Vec::new();
        stream.read_to_end(&mut back).await.unwrap();
        back.len()
    });
    // What is sent back has to be read while it is sent, or both sides would wait.
    assert_eq!((value(client.unwrap()), value(echo.unwrap())), (100_000, 100_000));
}

#[test]
fn a_full_pool_gives_the_future_back_and_has_room_again() {
    let (pool, gate) = (bounded(1, 1), Gate::new());
    let (send, threads) = mpsc::channel();
    let busy = pool.spawn(linger(gate.clone(), send));
    receive("the thread", &threads);
    let error = pool.try_spawn(async { 7 }).unwrap_err();
    assert_eq!(error.reason(), NoRoom::Full);
    gate.open();
    value(busy);
    assert_eq!(value(pool.try_spawn(error.into_body()).unwrap()), 7);
    let free = block_on_for(pool.spawn_when_free(async { 8 }), Some(PATIENCE)).unwrap();
    assert_eq!(value(free.unwrap()), 8);
}

#[test]
fn a_future_that_spawns_on_its_own_full_pool_does_not_wait() {
    let pool = Arc::new(bounded(1, 1));
    let inner = Arc::clone(&pool);
    let sum = pool.spawn(async move {
        let handles: Vec<_> = (0..20).map(|n| inner.spawn(async move { n })).collect();
        let outcomes = join_all(handles).await;
        outcomes.into_iter().map(|outcome| outcome.into_result().unwrap()).sum::<i32>()
    });
    assert_eq!(value(sum), 190);
}
