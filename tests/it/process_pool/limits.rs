//! Memory, number of tasks, and lost workers.

use std::{
    collections::HashSet,
    fs,
    num::{NonZeroU32, NonZeroU64},
    time::Instant,
};

use bytes::Bytes;
use outwork_core::{Executor, ExecutorExt, LossReason, Shutdown, State, TaskOptions};

use super::{builder, lost, pool};
use crate::support::{
    LATER, ms, outcome, stop, submit,
    tasks::{DIE, DIE_ONCE, Death, FILL, LEAK, NOOP, PID, SLEEP},
    wait_until,
};

const MIB: u64 = 1 << 20;

fn bytes(mib: u64) -> NonZeroU64 {
    NonZeroU64::new(mib * MIB).unwrap()
}

#[test]
fn a_task_over_the_memory_limit_is_killed_and_the_others_are_not() {
    let pool = builder(2).memory_limit(bytes(200)).build().unwrap();
    let beside = submit(&pool, SLEEP.task(&300).unwrap());
    let start = Instant::now();
    let greedy = outcome(submit(&pool, FILL.task(&(400, 60_000)).unwrap()));
    assert!(start.elapsed() < ms(20_000), "it was killed, and did not end by itself");
    assert_eq!(lost(&greedy).reason, LossReason::MemoryLimit);
    assert!(outcome(beside).is_success());
    stop(&pool, Shutdown::drain(LATER));
}

#[test]
fn a_worker_that_grew_is_replaced_after_its_task() {
    let pool = builder(1).soft_memory_limit(bytes(100)).build().unwrap();
    let small = pool.blocking_call(LEAK, &1).unwrap();
    assert_eq!(pool.blocking_call(PID, &()).unwrap(), small);
    assert_eq!(pool.blocking_call(LEAK, &150).unwrap(), small, "the task itself is not touched");
    assert_ne!(pool.blocking_call(PID, &()).unwrap(), small);
    assert_eq!(pool.status().counts.lost, 0);
    stop(&pool, Shutdown::drain(LATER));
}

#[test]
fn a_worker_is_replaced_after_so_many_tasks_without_a_task_noticing() {
    let most = NonZeroU64::new(10).unwrap();
    let pool = builder(2).max_tasks_per_worker(most).build().unwrap();
    let handles: Vec<_> = (0..200).map(|_| submit(&pool, PID.task(&()).unwrap())).collect();
    let mut runs = std::collections::HashMap::<u32, u64>::new();
    for handle in handles {
        let pid = outcome(handle).decode::<u32>().into_result().unwrap();
        *runs.entry(pid).or_default() += 1;
    }
    assert!(runs.values().all(|runs| *runs <= most.get()), "{runs:?}");
    assert!(runs.len() >= 20, "{runs:?}");
    stop(&pool, Shutdown::drain(LATER));
}

#[test]
fn only_the_running_task_is_lost_and_it_says_how() {
    let pool = pool(1);
    let dies = submit(&pool, DIE.task(&(Death::Exit(7), 20, Bytes::new())).unwrap());
    let behind: Vec<_> = (0..40).map(|_| submit(&pool, PID.task(&()).unwrap())).collect();
    let ended = outcome(dies);
    let lost = lost(&ended);
    assert_eq!((lost.code, lost.signal, lost.reason), (Some(7), None, LossReason::Died));
    let pids: HashSet<u32> = behind
        .into_iter()
        .map(|handle| outcome(handle).decode::<u32>().into_result().unwrap())
        .collect();
    assert_eq!(pids.len(), 1, "one other worker has run them all");
    assert!(!pids.contains(&lost.pid.unwrap()));
    stop(&pool, Shutdown::drain(LATER));
}

#[test]
fn a_crash_comes_with_the_end_of_the_standard_error() {
    let pool = pool(1);
    let ended = outcome(submit(&pool, DIE.task(&(Death::Overflow, 0, Bytes::new())).unwrap()));
    assert_eq!(lost(&ended).signal, Some(6));
    let tail = ended.error().unwrap().stderr_tail().to_owned();
    assert!(tail.contains("overflow"), "{tail:?}");
    stop(&pool, Shutdown::drain(LATER));
}

#[test]
fn an_idempotent_task_is_run_again_and_another_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let pool = pool(1);
    for (idempotent, state, runs) in [(true, State::Succeeded, 2), (false, State::Lost, 1)] {
        let file = folder.path().join(format!("{idempotent}"));
        let options = TaskOptions::new().idempotent(idempotent);
        let task = DIE_ONCE.task(&file).unwrap().with_options(options);
        let outcome = outcome(submit(&pool, task));
        assert_eq!(outcome.state(), state, "{outcome:?}");
        assert_eq!(fs::read_to_string(file).unwrap().lines().count(), runs);
    }
    stop(&pool, Shutdown::drain(LATER));
}

#[test]
fn a_task_that_kills_every_worker_loses_no_more_than_it_may() {
    let losses = NonZeroU32::new(4).unwrap();
    let pool = builder(1).max_worker_losses(losses).build().unwrap();
    let options = TaskOptions::new().idempotent(true);
    let task = DIE.task(&(Death::Kill, 0, Bytes::new())).unwrap().with_options(options);
    let outcome = outcome(submit(&pool, task));
    assert_eq!((outcome.state(), outcome.attempts()), (State::Lost, 4));
    pool.blocking_call(NOOP, &()).unwrap();
    wait_until("the worker is there again", || pool.status().workers == 1);
    stop(&pool, Shutdown::drain(LATER));
}
