//! Cancelled tasks, and workers that were not there at the time.

use outwork_amqp::QueueKind;
use outwork_core::{Cancel, Executor, ExecutorExt, State, TaskOptions, blocking::block_on};

use crate::support::{ECHO, PATIENCE, Place, SLEEP, until};

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
    until("both messages are dealt with", || worker.status().done == 2);
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
    until("the message has come up", || worker.status().done == 1);
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

/// Its worker takes no more for now, and a classic queue counts no consumer then.
#[test]
fn a_task_that_a_paused_worker_has_is_not_said_to_be_nowhere() {
    let place = Place::new();
    let worker = place.worker_builder(Place::pool(1)).queue_kind(QueueKind::Classic);
    let worker = block_on(worker.prefetch(2.try_into().unwrap()).start()).unwrap();
    let busy = place.client();
    let mut long = block_on(busy.submit(SLEEP.task(&60_000).unwrap())).unwrap();
    until("it runs", || busy.status().running == 1);
    // This one has heard of no worker yet.
    let client = place.client();
    let mut next = block_on(client.submit(ECHO.task(&"x".to_owned()).unwrap())).unwrap();
    until("both are there", || worker.status().in_hand == 2);
    worker.pause();
    until("it takes no more", || !worker.status().fetching);
    assert_eq!(block_on(client.cancel(next.task_id())), Cancel::Requested);
    assert_eq!(next.wait_timeout(PATIENCE).unwrap().state(), State::Cancelled);
    long.cancel();
    assert_eq!(long.wait_timeout(PATIENCE).unwrap().state(), State::Cancelled);
}
