//! Workers that do not start, and those that do again.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, thread, time::Instant};

use bytes::Bytes;
use outwork_core::{
    BuildError, Executor, ExecutorExt, LossReason, Phase, Registry, Shutdown, State,
    SubmitErrorKind, TaskErrorKind,
};
use outwork_local::{ProcessPool, WorkerHealth};

use super::{builder, child, lost, pool};
use crate::support::{
    LATER, PATIENCE, ms, outcome, stop, submit,
    tasks::{Death, ECHO, GARBLE, HANG_UP, MAKE, Moment, NOOP, PID, UNSPEAKABLE},
    wait_until,
};

fn script(path: &Path, lines: &str) {
    // Moved to its place, so that no process executes a file that is being written.
    let new = path.with_extension("new");
    fs::write(&new, format!("#!/bin/sh\n{lines}\n")).unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(new, path).unwrap();
}

fn broken(pool: &ProcessPool) -> String {
    wait_until("the pool is broken", || matches!(pool.health(), WorkerHealth::Broken { .. }));
    match pool.health() {
        WorkerHealth::Broken { reason } => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_program_that_does_not_exist_is_refused() {
    for (path, word) in [("/nowhere/at-all", "no such file"), ("/etc/passwd", "not be executed")] {
        match builder(1).program(path).build() {
            Err(BuildError::InvalidSetting { setting: "program", value, reason }) => {
                assert_eq!(value, path);
                assert!(reason.contains(word), "{reason}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_pool_whose_workers_cannot_start_says_why_and_recovers_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("worker");
    script(&program, "echo no licence found >&2; exit 3");
    let pool = builder(2).program(&program).build().unwrap();
    let waiting = submit(&pool, NOOP.task(&()).unwrap());
    let reason = broken(&pool);
    assert!(reason.contains("code 3") && reason.contains("no licence found"), "{reason}");
    assert_eq!(pool.status().phase, Phase::Broken);
    for handle in [waiting, submit(&pool, NOOP.task(&()).unwrap())] {
        let outcome = outcome(handle);
        let error = outcome.error().unwrap();
        assert_eq!(error.kind(), &TaskErrorKind::Infrastructure);
        assert!(error.message().contains("no licence found"), "{error}");
    }
    script(&program, &format!("exec {} \"$@\"", child().display()));
    wait_until("the pool has recovered", || pool.health() == WorkerHealth::Healthy);
    wait_until("it has its workers", || pool.status().workers == 2);
    pool.blocking_call(NOOP, &()).unwrap();
    assert_eq!(pool.status().phase, Phase::Running);
    stop(&pool, Shutdown::drain(LATER));
}

#[test]
fn a_worker_that_never_gets_ready_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("worker");
    script(&program, "exec sleep 600");
    let pool = builder(1).program(&program).start_timeout(ms(50)).build().unwrap();
    let reason = broken(&pool);
    assert!(reason.contains("not get ready in time"), "{reason}");
    stop(&pool, Shutdown::abort(PATIENCE));
}

#[test]
fn a_program_that_is_no_worker_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("worker");
    // It answers on its channel, in words of its own.
    script(&program, "echo 'hello, I am no worker, and I say so at some length' >&0; sleep 600");
    let pool = builder(1).program(&program).build().unwrap();
    let reason = broken(&pool);
    assert!(reason.contains("not understood"), "{reason}");
    stop(&pool, Shutdown::abort(PATIENCE));
}

#[test]
fn a_worker_with_other_tasks_is_refused_with_both_fingerprints() {
    let pool = builder(1).registry(Registry::new()).build().unwrap();
    let reason = broken(&pool);
    assert!(reason.contains("fingerprint") && reason.contains("worker_entry"), "{reason}");
    stop(&pool, Shutdown::drain(LATER));
}

#[test]
fn a_worker_that_says_garbage_loses_its_task_and_nothing_else() {
    let pool = pool(2);
    let garbage = submit(&pool, GARBLE.task(&Bytes::from(vec![0x7f; 64])).unwrap());
    let hangs_up = submit(&pool, HANG_UP.task(&()).unwrap());
    let others: Vec<_> = (0..50).map(|_| submit(&pool, NOOP.task(&()).unwrap())).collect();
    assert_eq!(lost(&outcome(garbage)).reason, LossReason::Garbled);
    assert_eq!(lost(&outcome(hangs_up)).reason, LossReason::Disconnected);
    for other in others {
        assert!(outcome(other).is_success());
    }
    stop(&pool, Shutdown::drain(LATER));
}

#[test]
fn a_payload_over_the_limit_is_refused_and_a_result_over_it_fails_its_task() {
    let pool = builder(1).max_payload(1000).build().unwrap();
    let long = Bytes::from(vec![1; 1001]);
    let refused = pool.try_submit(ECHO.task(&long).unwrap()).unwrap_err();
    assert_eq!(refused.kind(), SubmitErrorKind::TooLarge);
    assert!(refused.to_string().contains("1000"), "{refused}");
    let fits = outcome(submit(&pool, MAKE.task(&900).unwrap()));
    assert!(fits.is_success(), "{fits:?}");
    let too_long = outcome(submit(&pool, MAKE.task(&1001).unwrap()));
    let error = too_long.error().unwrap();
    assert_eq!(error.kind(), &TaskErrorKind::OutputTooLarge { limit: 1000 });
    assert!(error.message().contains("max_payload"), "{error}");
    pool.blocking_call(PID, &()).unwrap();
    stop(&pool, Shutdown::drain(LATER));
}

#[test]
fn a_result_that_cannot_be_serialised_fails_its_task_alone() {
    let pool = pool(1);
    let worker = pool.blocking_call(PID, &()).unwrap();
    let ended = outcome(submit(&pool, UNSPEAKABLE.task(&()).unwrap()));
    assert_eq!(ended.state(), State::Failed, "{ended:?}");
    assert!(ended.error().unwrap().to_string().contains("no words for it"), "{ended:?}");
    assert_eq!(pool.blocking_call(PID, &()).unwrap(), worker);
    stop(&pool, Shutdown::drain(LATER));
}

#[test]
fn workers_that_die_before_they_have_begun_a_task_are_started_less_and_less_often() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let part = rmp_serde::to_vec(&(Moment::Ready, Death::Exit(4))).unwrap();
    for (name, content) in [("part", &part[..]), ("enter", b""), ("now", b"")] {
        fs::write(file(name), content).unwrap();
    }
    let (program, starts, place) = (file("program"), file("starts"), folder.path().display());
    let child = child().display();
    let lines = format!("echo start >>'{place}/starts'\nexec '{child}' \"$@\" speaker '{place}'");
    script(&program, &lines);
    let pool = builder(2).program(&program).build().unwrap();
    let reason = broken(&pool);
    assert!(reason.contains("code 4") && reason.contains("without having begun"), "{reason}");
    // By then one is started every tenth of a second or so, and not every hundredth.
    let began = Instant::now();
    thread::sleep(ms(400));
    let count = fs::read_to_string(starts).unwrap().lines().count();
    assert!(count < 15 || began.elapsed() > ms(2000), "{count} starts");
    script(&program, &format!("exec {child} \"$@\""));
    wait_until("it has its workers", || {
        pool.status().workers == 2 && pool.health() == WorkerHealth::Healthy
    });
    pool.blocking_call(NOOP, &()).unwrap();
    stop(&pool, Shutdown::drain(LATER));
}
