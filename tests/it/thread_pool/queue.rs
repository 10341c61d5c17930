//! Room, the queue, and what comes out of it first.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
};

use outwork_core::{
    Admission, BoxError, Cancel, Executor, NoRoom, Priority, Registry, Rejection, Shutdown, State,
    TaskDef, TaskErrorKind, TaskOptions, blocking::block_on_for,
};
use outwork_local::ThreadPool;

use super::{bounded, occupy, pool};
use crate::support::{
    Gate, LATER, OnDrop, PATIENCE, drain, in_time, is_asleep, outcome, receive, stop, submit,
    thread_here, unique, value, wait_until,
};

#[test]
fn a_full_pool_gives_the_closure_back() {
    let (pool, gate) = (bounded(1, 2), Gate::new());
    let busy = occupy(&pool, 1, &gate);
    let queued = pool.try_spawn(|| ()).unwrap();
    let kept = String::from("mine");
    let error = pool.try_spawn(move || kept).unwrap_err();
    assert_eq!(error.reason(), NoRoom::Full);
    assert_eq!(error.into_body()(), "mine");
    gate.open();
    busy.into_iter().chain([queued]).for_each(value);
    assert_eq!(value(pool.try_spawn(|| 7).unwrap()), 7);
}

#[test]
fn spawn_waits_for_room() {
    let (pool, gate) = (Arc::new(bounded(1, 1)), Gate::new());
    let _busy = occupy(&pool, 1, &gate);
    let (tell, told) = mpsc::channel();
    let spawner = {
        let (pool, gate) = (Arc::clone(&pool), gate.clone());
        thread::Builder::new().spawn(move || {
            tell.send(thread_here()).unwrap();
            let handle = pool.spawn(|| ());
            assert!(gate.is_open(), "spawn returned while the pool was full");
            value(handle);
        })
    };
    let thread = receive("the number of the thread that spawns", &told);
    wait_until("the thread that spawns sleeps", || is_asleep(&thread));
    gate.open();
    in_time("the thread that spawns", move || spawner.unwrap().join().unwrap());
}

#[test]
fn spawn_on_an_own_thread_never_waits() {
    let pool = Arc::new(bounded(1, 1));
    let inner = Arc::clone(&pool);
    let handles = pool.spawn(move || (0..50).map(|n| inner.spawn(move || n)).collect::<Vec<_>>());
    let numbers: Vec<_> = value(handles).into_iter().map(value).collect();
    assert_eq!(numbers, (0..50).collect::<Vec<_>>());
    assert_eq!(pool.status().in_flight, 0);
}

#[test]
fn a_place_that_is_reserved_on_an_own_thread_is_had_at_once() {
    let pool = Arc::new(bounded(1, 1));
    let inner = Arc::clone(&pool);
    let handles = pool.spawn(move || {
        let reserve = || block_on_for(inner.reserve(), Some(PATIENCE)).unwrap().unwrap();
        // One that is not used is given back.
        drop(reserve());
        [1, 2].map(|n| reserve().spawn(move || n))
    });
    assert_eq!(value(handles).map(value), [1, 2]);
    assert_eq!(pool.status().in_flight, 0);
}

#[test]
fn a_task_that_is_submitted_on_an_own_thread_never_waits() {
    const LEAF: TaskDef<(), u32> = TaskDef::new("leaf");
    let mut registry = Registry::new();
    registry.register(LEAF, |_, ()| Ok::<_, BoxError>(7)).unwrap();
    let builder = ThreadPool::builder().workers(1).limit(1.try_into().unwrap()).name(unique("t"));
    let pool = Arc::new(builder.registry(registry).build().unwrap());
    let inner = Arc::clone(&pool);
    let nested = pool.spawn(move || {
        use outwork_core::ExecutorExt;
        let mut handle = inner.blocking_submit(LEAF.task(&()).unwrap(), None).unwrap();
        handle.wait().unwrap().decode::<u32>().into_result().unwrap()
    });
    assert_eq!(value(nested), 7);
}

#[test]
fn a_reserved_place_is_kept_until_it_is_used_or_dropped() {
    let pool = bounded(1, 1);
    let reserve = || block_on_for(pool.reserve(), Some(PATIENCE)).unwrap();
    let permit = reserve().unwrap();
    assert_eq!(pool.try_spawn(|| ()).unwrap_err().reason(), NoRoom::Full);
    assert_eq!(value(permit.spawn(|| 7)), 7);
    drop(reserve().unwrap());
    assert_eq!(value(pool.try_spawn(|| 8).unwrap()), 8);
}

#[test]
fn a_wait_for_a_place_that_is_given_up_takes_none() {
    let (pool, gate) = (bounded(1, 1), Gate::new());
    let busy = occupy(&pool, 1, &gate);
    for _ in 0..10 {
        assert!(block_on_for(pool.reserve(), Some(std::time::Duration::from_millis(1))).is_err());
    }
    gate.open();
    busy.into_iter().for_each(value);
    assert_eq!(pool.status().in_flight, 0);
    assert!(block_on_for(pool.reserve(), Some(PATIENCE)).unwrap().is_ok());
}

#[test]
fn those_who_wait_for_a_place_learn_that_the_pool_is_shut_down() {
    let (pool, gate) = (Arc::new(bounded(1, 1)), Gate::new());
    let _busy = occupy(&pool, 1, &gate);
    let (tell, told) = mpsc::channel();
    let waiting = {
        let pool = Arc::clone(&pool);
        thread::Builder::new().spawn(move || {
            tell.send(thread_here()).unwrap();
            let reserved = block_on_for(pool.reserve(), Some(PATIENCE)).unwrap();
            assert_eq!(reserved.unwrap_err(), NoRoom::Closed);
            let error = outcome(pool.spawn(|| ())).into_result().unwrap_err();
            assert_eq!(error.kind(), &TaskErrorKind::Rejected(Rejection::Closed));
        })
    };
    let thread = receive("the number of the thread that waits", &told);
    wait_until("the thread sleeps", || is_asleep(&thread));
    stop(&*pool, Shutdown::drain(LATER).wait(false));
    in_time("the thread that waited", move || waiting.unwrap().join().unwrap());
    gate.open();
    drain(&*pool);
}

#[test]
fn a_closure_that_is_cancelled_in_the_queue_never_runs_and_keeps_its_place_till_it_leaves() {
    let (pool, gate) = (bounded(1, 2), Gate::new());
    let _busy = occupy(&pool, 1, &gate);
    let (ran, dropped) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let held = {
        let dropped = Arc::clone(&dropped);
        OnDrop(move || dropped.store(true, Ordering::SeqCst))
    };
    let queued = {
        let ran = Arc::clone(&ran);
        pool.spawn(move || {
            let _held = &held;
            ran.store(true, Ordering::SeqCst);
        })
    };
    assert_eq!(queued.state(), State::Pending);
    assert_eq!(queued.cancel(), Cancel::Confirmed);
    assert_eq!(queued.cancel(), Cancel::NotFound);
    assert!(dropped.load(Ordering::SeqCst), "what a cancelled closure holds is dropped at once");
    assert_eq!(outcome(queued).state(), State::Cancelled);
    assert_eq!(pool.try_spawn(|| ()).unwrap_err().reason(), NoRoom::Full);
    gate.open();
    wait_until("the place of the cancelled closure is free", || pool.status().in_flight == 0);
    drain(&pool);
    assert!(!ran.load(Ordering::SeqCst), "a cancelled closure ran");
}

#[test]
fn a_closure_that_runs_cannot_be_cancelled() {
    let (pool, gate) = (pool(1), Gate::new());
    let busy = occupy(&pool, 1, &gate).pop().unwrap();
    assert_eq!(busy.state(), State::Running);
    assert_eq!(busy.cancel(), Cancel::Unsupported);
    gate.open();
    assert_eq!(outcome(busy).state(), State::Succeeded);
}

#[test]
fn room_is_never_denied_while_there_is_some() {
    let admission = Admission::new(16);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..100_000 {
                    admission.try_enter().expect("at most 8 of 16 places are taken");
                    admission.leave();
                }
            });
        }
    });
    assert_eq!(admission.in_flight(), 0);
}

#[test]
fn pools_that_wait_for_room_in_each_other_go_on() {
    let (first, second) = (Arc::new(pool(1)), Arc::new(bounded(1, 1)));
    let (started, starts) = mpsc::channel();
    let gate = Gate::new();
    // Holds the only place of the second pool until a task of the first one has run.
    let holder = {
        let (first, gate) = (Arc::clone(&first), gate.clone());
        second.spawn(move || {
            started.send(()).unwrap();
            gate.wait();
            first.spawn(|| 1).wait_timeout(PATIENCE).unwrap().into_result().unwrap()
        })
    };
    receive("the closure that holds the only place", &starts);
    // Occupies the only thread of the first pool until there is a place in the second.
    let waiter = {
        let second = Arc::clone(&second);
        first.spawn(move || {
            gate.open();
            let handle = second.spawn(|| 2);
            value(handle)
        })
    };
    assert_eq!((value(holder), value(waiter)), (1, 2));
}

const NUMBERED: TaskDef<u32, ()> = TaskDef::new("numbered");

/// A pool of one thread that writes down which tasks it runs.
fn numbering() -> (ThreadPool, Arc<Mutex<Vec<u32>>>) {
    let ran = Arc::new(Mutex::new(Vec::new()));
    let mut registry = Registry::new();
    let log = Arc::clone(&ran);
    registry
        .register(NUMBERED, move |_, number| {
            log.lock().unwrap().push(number);
            Ok::<_, BoxError>(())
        })
        .unwrap();
    let builder = ThreadPool::builder().workers(1).name(unique("t")).registry(registry);
    (builder.build().unwrap(), ran)
}

fn numbered(number: u32, priority: Priority) -> outwork_core::Task {
    NUMBERED.task(&number).unwrap().with_options(TaskOptions::new().priority(priority))
}

#[test]
fn one_thread_takes_what_is_most_urgent() {
    let ((pool, ran), gate) = (numbering(), Gate::new());
    let _busy = occupy(&pool, 1, &gate);
    let priorities = [Priority::Low, Priority::Normal, Priority::High];
    for number in 0..6 {
        drop(submit(&pool, numbered(number, priorities[number as usize % 3])));
    }
    gate.open();
    drain(&pool);
    assert_eq!(*ran.lock().unwrap(), [2, 5, 1, 4, 0, 3]);
}

#[test]
fn tasks_of_one_priority_start_in_the_order_of_their_submission() {
    let ((pool, ran), gate) = (numbering(), Gate::new());
    let _busy = occupy(&pool, 1, &gate);
    let priorities = [Priority::Normal, Priority::High, Priority::Normal, Priority::Low];
    for number in 0..600 {
        drop(submit(&pool, numbered(number, priorities[number as usize % 4])));
    }
    gate.open();
    drain(&pool);
    let ran = ran.lock().unwrap();
    assert_eq!(ran.len(), 600);
    for class in [&[0, 2][..], &[1], &[3]] {
        let of_class: Vec<_> = ran.iter().filter(|n| class.contains(&(*n % 4))).collect();
        assert!(of_class.is_sorted(), "{of_class:?}");
    }
}

#[test]
fn no_priority_waits_for_ever_behind_a_flood() {
    let ((pool, ran), gate) = (numbering(), Gate::new());
    let _busy = occupy(&pool, 1, &gate);
    drop(submit(&pool, numbered(1000, Priority::Low)));
    for number in 0..500 {
        drop(submit(&pool, numbered(number, Priority::High)));
    }
    gate.open();
    drain(&pool);
    let place = ran.lock().unwrap().iter().position(|number| *number == 1000).unwrap();
    assert!(place < 100, "a task of low priority came after {place} others");
}
