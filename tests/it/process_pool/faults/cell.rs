//! Plays one cell: two workers, of which one dies and the other is not to notice.

use std::thread;

use outwork_core::{Executor, ExecutorExt, Phase, Shutdown, State};
use outwork_local::{ProcessPool, WorkerHealth};

use super::{
    super::lost,
    stage::Stage,
    table::{Cell, End, When},
};
use crate::support::{LATER, outcome, stop, submit, tasks::PID, wait_until};

/// Plays a cell, and holds what becomes of everybody to the table.
pub fn play(cell: &Cell) {
    let stage = Stage::new();
    let pool = stage.pool(cell);
    stage.learn(&pool);
    let sibling = stage.start_sibling(&pool);
    match cell.when {
        When::Greeting => {
            stage.strike();
            stage.run_behind(&pool);
        }
        When::Sent | When::InBody | When::Answering => lose_a_task(&stage, &pool, cell),
        When::Idle => lose_an_idle_one(&stage, &pool, cell),
        When::Draining => {
            return thread::scope(|threads| {
                let stopping = || stop(&pool, Shutdown::drain(LATER));
                lose_a_task_while(&stage, &pool, cell, || {
                    threads.spawn(stopping);
                    wait_until("the pool drains", || pool.status().phase != Phase::Running);
                });
                stage.release(sibling);
            });
        }
        When::Leaving => {
            stage.strike();
            stage.release(sibling);
            stop(&pool, Shutdown::drain(LATER));
            return stage.was_struck();
        }
    }
    stage.release(sibling);
    wait_until("the pool has both workers", || {
        pool.status().workers == 2 && pool.health() == WorkerHealth::Healthy
    });
    pool.blocking_call(PID, &()).unwrap();
    stop(&pool, Shutdown::drain(LATER));
}

fn lose_a_task(stage: &Stage, pool: &ProcessPool, cell: &Cell) {
    lose_a_task_while(stage, pool, cell, || {});
}

/// The worker dies with a task and others behind it, while something else goes on.
fn lose_a_task_while(stage: &Stage, pool: &ProcessPool, cell: &Cell, meanwhile: impl FnOnce()) {
    let first = submit(pool, stage.first(cell));
    if cell.when.has_begun() {
        wait_until("the task runs", || first.state() == State::Running);
    }
    let behind = stage.submit_behind(pool);
    meanwhile();
    stage.strike();
    let ended = outcome(first);
    match cell.end() {
        End::Succeeds => assert!(ended.is_success(), "{ended:?}"),
        End::TimedOut => assert_eq!(ended.state(), State::TimedOut, "{ended:?}"),
        End::Lost(reason, code, signal) => {
            let lost = lost(&ended);
            assert_eq!((lost.reason, lost.code, lost.signal), (reason, code, signal), "{ended:?}");
            assert!(!lost.oom);
        }
    }
    assert_eq!(ended.attempts(), 1, "{ended:?}");
    stage.was_struck();
    stage.have_run(behind);
}

fn lose_an_idle_one(stage: &Stage, pool: &ProcessPool, cell: &Cell) {
    let worker = outcome(submit(pool, stage.first(cell))).decode::<u32>().into_result().unwrap();
    stage.strike();
    stage.was_struck();
    if cell.start_timeout() == Cell::warm_up().start_timeout() {
        let process = format!("/proc/{worker}");
        wait_until("it is gone", || !std::path::Path::new(&process).exists());
    }
    stage.run_behind(pool);
}
