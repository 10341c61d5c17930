//! Cancelled tasks, and workers that were not there at the time.

use outwork_core::{Cancel, Executor, ExecutorExt, State, TaskOptions, blocking::block_on};

use crate::support::{ECHO, PATIENCE, Place};

#[test]
pub fn a_task_that_was_cancelled_while_no_worker_was_there_never_starts() {
    let place = Place::new();
    let worker = place.worker(1);
    block_on(worker.drain(PATIENCE));
    drop(worker);
    let client = place.client();
    let task = || ECHO.task(&"x".to_owned()).unwrap();
    let mut cancelled = block_on(client.submit(task())).unwrap();
    let kept = block_on(client.submit(task())).unwrap();
    assert_eq!(block_on(client.cancel(cancelled.task_id())), Cancel::Confirmed);
    let outcome = cancelled.wait_timeout(PATIENCE).unwrap();
    assert_eq!((outcome.state(), outcome.attempts()), (State::Cancelled, 0));
    let worker = place.worker(1);
    let mut kept = kept.decoded::<String>();
    assert!(kept.wait_timeout(PATIENCE).unwrap().is_success());
    crate::support::until("both messages are dealt with", || worker.status().done == 2);
    assert_eq!(client.status().counts.late, 1, "the worker has told the end that was known");
}

#[test]
fn a_task_that_was_cancelled_while_it_waited_on_the_ladder_never_starts() {
    let place = Place::new();
    let worker = place.worker(1);
    let client = place.client();
    let options = TaskOptions::new().delay(std::time::Duration::from_secs(3));
    let task = ECHO.task(&"x".to_owned()).unwrap().with_options(options);
    let mut handle = block_on(client.submit(task)).unwrap();
    assert_eq!(block_on(client.cancel(handle.task_id())), Cancel::Confirmed);
    assert_eq!(handle.wait_timeout(PATIENCE).unwrap().state(), State::Cancelled);
    // The worker that saw the tombstone is gone when the task is due.
    block_on(worker.drain(PATIENCE));
    drop(worker);
    let worker = place.worker(1);
    crate::support::until("the message has come up", || worker.status().done == 1);
    assert_eq!(client.status().counts.late, 1);
}

#[test]
fn an_id_can_be_used_again_after_its_task_was_cancelled() {
    let place = Place::new();
    let _worker = place.worker(1);
    let client = place.client();
    let options = TaskOptions::new().delay(PATIENCE);
    let task = ECHO.task(&"again".to_owned()).unwrap();
    let delayed = task.clone().with_options(options);
    let mut handle = block_on(client.submit(delayed)).unwrap();
    block_on(client.cancel(handle.task_id()));
    assert_eq!(handle.wait_timeout(PATIENCE).unwrap().state(), State::Cancelled);
    let mut again = client.submit_timeout(task, PATIENCE).unwrap();
    assert!(again.wait_timeout(PATIENCE).unwrap().is_success());
}
