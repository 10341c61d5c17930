//! The process pool's column of the README's table of guarantees, cell by cell and in its words.

use std::{fs, num::NonZeroUsize, thread, time::Instant};

use bytes::Bytes;
use outwork_core::{
    Cancel, Executor, ExecutorExt, Shutdown, State, SubmitErrorKind, TaskErrorKind, TaskOptions,
    WorkerLost,
};

use super::{builder, lost, orphans::nothing_outlives_the_caller, pool};
use crate::support::{
    LATER, ms, outcome, stop, submit,
    tasks::{DIE, DIE_ONCE, Death, ECHO, FILL, NOOP, PID, SCRIPT, SLEEP, SPIN},
    wait_until,
};

#[test]
fn delivery_at_most_once_re_run_after_a_crash_only_if_idempotent() {
    let folder = tempfile::tempdir().unwrap();
    let pool = pool(2);
    for (idempotent, state, runs) in [(true, State::Succeeded, 2), (false, State::Lost, 1)] {
        let file = folder.path().join(format!("{idempotent}"));
        let options = TaskOptions::new().idempotent(idempotent);
        let task = DIE_ONCE.task(&file).unwrap().with_options(options);
        assert_eq!(outcome(submit(&pool, task)).state(), state);
        assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), runs);
    }
    stop(&pool, Shutdown::drain(LATER));
}

#[test]
fn running_task_survives_the_callers_sigkill_no_no_orphan_commands_included() {
    nothing_outlives_the_caller();
}

#[test]
fn cancel_queued_yes() {
    let pool = pool(1);
    let busy = submit(&pool, SLEEP.task(&200).unwrap());
    wait_until("it runs", || busy.state() == State::Running);
    let queued = submit(&pool, PID.task(&()).unwrap());
    assert_ne!(queued.cancel(), Cancel::NotFound);
    let queued = outcome(queued);
    assert_eq!((queued.state(), queued.attempts()), (State::Cancelled, 0));
    assert!(outcome(busy).is_success());
    stop(&pool, Shutdown::drain(LATER));
}

#[test]
fn cancel_running_enforced_term_grace_kill_of_the_group() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log");
    let pool = pool(1);
    // It hears the signal, and goes on.
    let script = r#"trap 'echo term >> "$1"' TERM; echo begun > "$1"
        while :; do sleep 0.01; echo on >> "$1"; done"#;
    let options = TaskOptions::new().grace(ms(100));
    let task = SCRIPT.task(&(script.to_owned(), file.clone())).unwrap().with_options(options);
    let handle = submit(&pool, task);
    let log = || fs::read_to_string(&file).unwrap_or_default();
    wait_until("the script runs", || log().contains("begun"));
    let start = Instant::now();
    assert_eq!(handle.cancel(), Cancel::Requested);
    assert_eq!(outcome(handle).state(), State::Cancelled);
    assert!(start.elapsed() >= ms(100), "it had its grace");
    let last = log();
    assert!(last.contains("term"), "{last}");
    thread::sleep(ms(50));
    assert_eq!(log(), last, "it is dead");
    stop(&pool, Shutdown::drain(LATER));
}

#[test]
fn time_limit_enforced() {
    let pool = pool(1);
    let limit = ms(50);
    let options = TaskOptions::new().time_limit(limit).unwrap().grace(ms(0));
    let handle = submit(&pool, SPIN.task(&600_000_000).unwrap().with_options(options));
    let kind = TaskErrorKind::TimedOut { limit, abandoned: false };
    assert_eq!(outcome(handle).error().unwrap().kind(), &kind);
    pool.blocking_call(NOOP, &()).unwrap();
    stop(&pool, Shutdown::drain(LATER));
}

#[test]
fn crash_of_one_task_contained_abort_segfault_oom_exit() {
    let pool = builder(2).memory_limit((200 << 20).try_into().unwrap()).build().unwrap();
    let end = |death| submit(&pool, DIE.task(&(death, 0, Bytes::new())).unwrap());
    let crashes = [
        (end(Death::Abort), None, Some(6)),
        (end(Death::Segv), None, Some(11)),
        (end(Death::Exit(3)), Some(3), None),
        (submit(&pool, FILL.task(&(400, 60_000)).unwrap()), None, Some(9)),
    ];
    let others: Vec<_> = (0..40).map(|_| submit(&pool, PID.task(&()).unwrap())).collect();
    for (crash, code, signal) in crashes {
        let WorkerLost { code: died_with, signal: died_by, .. } = lost(&outcome(crash));
        assert_eq!((died_with, died_by), (code, signal));
    }
    for other in others {
        assert!(outcome(other).is_success());
    }
    stop(&pool, Shutdown::drain(LATER));
}

#[test]
fn backpressure_bounded_queue_and_bytes() {
    let limit = NonZeroUsize::new(2).unwrap();
    let pool = builder(1).limit(limit).max_payload(1 << 20).build().unwrap();
    let held = [0; 2].map(|_| submit(&pool, SLEEP.task(&100).unwrap()));
    let refused = pool.try_submit(NOOP.task(&()).unwrap()).unwrap_err();
    assert_eq!(refused.kind(), SubmitErrorKind::Full);
    let large = ECHO.task(&Bytes::from(vec![1; 1 << 21])).unwrap();
    assert_eq!(pool.try_submit(large).unwrap_err().kind(), SubmitErrorKind::TooLarge);
    assert!(outcome(submit(&pool, refused.into_task())).is_success());
    for handle in held {
        assert!(outcome(handle).is_success());
    }
    stop(&pool, Shutdown::drain(LATER));
}
