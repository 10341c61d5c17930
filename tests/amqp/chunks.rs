//! Tasks in bulk, which go together.

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

use lapin::types::AMQPValue;
use outwork_amqp::{AmqpExecutor, AmqpWorker};
use outwork_core::{
    Batch, Cancel, Executor, ExecutorExt, Outcome, RetryPolicy, State, Task, TaskDef,
    TaskErrorKind, TaskHandle, TaskOptions, blocking::block_on,
};

use crate::{
    faults::victim::{Part, Victim},
    support::{ECHO, FAIL, PATIENCE, Place, SLEEP, dead_letter, left, until},
};

/// A client that knows how short these tasks are, and no worker any more.
fn prepared(place: &Place) -> AmqpExecutor {
    let worker = place.worker(2);
    let client = place.client();
    for handle in submit(&client, echoes(20)) {
        assert!(outcome(handle).is_success());
    }
    let fails = vec![FAIL.task(&"why".to_owned()).unwrap(), SLEEP.task(&0).unwrap()];
    submit(&client, fails).into_iter().for_each(|handle| drop(outcome(handle)));
    block_on(worker.drain(PATIENCE));
    client
}

fn echoes(count: usize) -> Vec<Task> {
    (0..count).map(|n| ECHO.task(&n.to_string()).unwrap()).collect()
}

fn submit(client: &AmqpExecutor, tasks: Vec<Task>) -> Vec<TaskHandle> {
    block_on(client.submit_many(tasks, Batch::Wait)).unwrap()
}

fn outcome(mut handle: TaskHandle) -> Outcome {
    handle.wait_timeout(PATIENCE).unwrap()
}

fn check_echoes(handles: Vec<TaskHandle>) {
    for (n, handle) in handles.into_iter().enumerate() {
        let mut handle = handle.decoded::<String>();
        assert_eq!(handle.wait_timeout(PATIENCE).unwrap().into_result().unwrap(), n.to_string());
    }
}

#[test]
fn short_tasks_of_a_batch_go_together_and_each_has_its_own_end() {
    let place = Place::new();
    let client = prepared(&place);
    let handles = submit(&client, echoes(3000));
    let messages = left(&place, "q");
    assert!((3..=60).contains(&messages), "{messages} messages");
    let worker = place.worker(2);
    check_echoes(handles);
    until("all are settled", || worker.status().done == 3000);
    until("all are acknowledged", || worker.status().in_hand == 0 && left(&place, "q") == 0);
    assert_eq!((client.status().in_flight, client.status().counts.late), (0, 0));
}

#[test]
fn what_goes_together_leaves_a_share_to_every_worker_that_was_heard_of() {
    let place = Place::new();
    let first = place.worker(1);
    let client = place.client();
    let workers: Vec<_> = (0..3).map(|_| place.worker(1)).chain([first]).collect();
    until("all were heard of", || {
        submit(&client, echoes(8)).into_iter().for_each(|handle| drop(outcome(handle)));
        client.status().workers == workers.len()
    });
    for worker in workers {
        block_on(worker.drain(PATIENCE));
    }
    let handles = submit(&client, echoes(1000));
    let messages = left(&place, "q");
    assert!(messages >= 10, "{messages} messages");
    let _worker = place.worker(2);
    check_echoes(handles);
}

#[test]
fn tasks_that_take_long_or_were_never_measured_go_alone() {
    let place = Place::new();
    let worker = place.worker(4);
    let client = place.client();
    for handle in submit(&client, (0..4).map(|_| SLEEP.task(&300).unwrap()).collect()) {
        assert!(outcome(handle).is_success());
    }
    block_on(worker.drain(PATIENCE));
    drop(worker);
    let long = submit(&client, (0..8).map(|_| SLEEP.task(&300).unwrap()).collect());
    let unknown = submit(&client, echoes(8));
    assert_eq!(left(&place, "q"), 16);
    let _worker = place.worker(4);
    long.into_iter().chain(unknown).for_each(|handle| assert!(outcome(handle).is_success()));
}

#[test]
fn single_submissions_go_alone_and_those_in_bulk_together() {
    let place = Place::new();
    let client = prepared(&place);
    let single: Vec<_> =
        echoes(30).into_iter().map(|task| client.try_submit(task).unwrap()).collect();
    until("all are accepted", || left(&place, "q") == 30);
    let bulk = echoes(30).into_iter();
    let bulk = bulk.map(|task| task.with_options(TaskOptions::new().bulk(true)));
    let bulk: Vec<_> = bulk.map(|task| client.try_submit(task).unwrap()).collect();
    until("all are sent", || left(&place, "q") > 30);
    let _worker = place.worker(2);
    check_echoes(single);
    check_echoes(bulk);
}

#[test]
fn a_task_of_a_chunk_is_cancelled_and_its_neighbours_run() {
    let place = Place::new();
    let client = prepared(&place);
    let mut handles = submit(&client, echoes(100));
    let cancelled = handles.remove(50);
    // The worker that was there a moment ago does not answer any more.
    assert_eq!(block_on(client.cancel(cancelled.task_id())), Cancel::Requested);
    let worker = place.worker(2);
    let outcome_of_it = outcome(cancelled);
    assert_eq!((outcome_of_it.state(), outcome_of_it.attempts()), (State::Cancelled, 0));
    for handle in handles {
        assert!(outcome(handle).is_success());
    }
    until("all are settled", || worker.status().done == 100);
    assert_eq!(left(&place, "q"), 0);
}

#[test]
fn a_task_of_a_chunk_that_fails_is_tried_again_by_itself() {
    let place = Place::new();
    let client = prepared(&place);
    let retry = RetryPolicy::fixed(NonZeroU32::new(3).unwrap(), Duration::from_millis(50));
    let fails = |n: usize| FAIL.task(&n.to_string()).unwrap();
    let fails = (0..40).map(|n| fails(n).with_options(TaskOptions::new().retry(retry.clone())));
    let handles = submit(&client, fails.collect());
    assert!(left(&place, "q") < 40);
    let worker = place.worker(2);
    for handle in handles {
        let outcome = outcome(handle);
        assert_eq!((outcome.state(), outcome.attempts()), (State::Failed, 3));
    }
    until("all are settled", || worker.status().done == 40);
    assert_eq!(worker.status().retried, 80);
}

/// Kept for a person, or another program, to send again: it has to be whole.
#[test]
fn a_task_of_a_chunk_that_is_buried_is_a_message_of_its_own() {
    let place = Place::new();
    let client = prepared(&place);
    let mut tasks = echoes(40);
    let number = TaskDef::<u64, String>::new("test.echo").task(&77).unwrap();
    let id = number.id().to_string();
    tasks.insert(20, number);
    let mut handles = submit(&client, tasks);
    assert!(left(&place, "q") < 40, "they go together");
    let worker = place.worker(2);
    assert_eq!(outcome(handles.remove(20)).error().unwrap().kind(), &TaskErrorKind::Undecodable);
    check_echoes(handles);
    until("it is buried", || worker.status().dead == 1);
    let letter = dead_letter(&place).delivery;
    assert_eq!(letter.properties.message_id().as_ref().unwrap().as_str(), id);
    let headers = letter.properties.headers().clone().unwrap();
    assert_eq!(headers.inner().get("ow-kind"), Some(&AMQPValue::LongString("task".into())));
    let args = [&b"\xa4args\xc4\x01"[..], &[77]].concat();
    assert!(letter.data.windows(args.len()).any(|window| window == args), "{:?}", letter.data);
}

#[test]
fn a_long_task_of_a_chunk_keeps_no_result_of_another_back() {
    let place = Place::new();
    let client = prepared(&place);
    let long = SLEEP.task(&3000).unwrap();
    let short = (0..60).map(|_| SLEEP.task(&0).unwrap());
    let mut tasks: Vec<_> = short.collect();
    tasks.insert(30, long);
    let mut handles = submit(&client, tasks);
    assert!(left(&place, "q") < 30, "they go together");
    let _worker = place.worker(2);
    let long = handles.remove(30);
    for handle in handles {
        assert!(outcome(handle).is_success());
    }
    assert_ne!(long.state(), State::Succeeded, "the others have waited for it");
    assert!(outcome(long).is_success());
}

#[test]
fn what_a_drain_finds_not_begun_of_a_chunk_is_run_by_another_worker() {
    let place = Place::new();
    let client = prepared(&place);
    let mut tasks: Vec<_> = (0..50).map(|_| SLEEP.task(&0).unwrap()).collect();
    tasks.insert(0, SLEEP.task(&700).unwrap());
    let handles = submit(&client, tasks);
    let worker = place.worker(1);
    until("the first one runs", || worker.status().in_hand > 1);
    let report = block_on(worker.drain(PATIENCE));
    assert_eq!((report.unsettled, report.interrupted), (0, 0), "{report:?}");
    drop(worker);
    let _other = place.worker(2);
    for handle in handles {
        let outcome = outcome(handle);
        assert_eq!((outcome.state(), outcome.attempts()), (State::Succeeded, 1));
    }
    assert_eq!(client.status().counts.late, 0);
}

#[test]
fn the_tasks_of_a_chunk_whose_worker_was_killed_are_run_one_by_one() {
    if let Some(Part { options, queue }) = Part::of_this_process() {
        let worker = AmqpWorker::builder(options, Place::pool(2)).queue(queue);
        let _worker = block_on(worker.start()).unwrap();
        return Part::wait_for_the_end();
    }
    let place = Place::new();
    let client = prepared(&place);
    let test = "chunks::the_tasks_of_a_chunk_whose_worker_was_killed_are_run_one_by_one";
    let mut victim = Victim::start(test, &place);
    victim.wait_ready();
    let mut tasks: Vec<_> = (0..60).map(|_| SLEEP.task(&0).unwrap()).collect();
    tasks.insert(20, SLEEP.task(&5000).unwrap());
    let handles = submit(&client, tasks);
    until("one runs", || handles.iter().any(|handle| handle.state() == State::Running));
    victim.kill();
    let worker = place.worker(2);
    for handle in handles {
        assert!(outcome(handle).is_success());
    }
    let given_back = worker.status().given_back;
    assert!(given_back > 0, "the chunk was not taken apart");
    until("all are acknowledged", || worker.status().in_hand == 0 && left(&place, "q") == 0);
}

#[test]
fn map_is_in_the_order_of_its_inputs() {
    let place = Place::new();
    let _worker = place.worker(2);
    let client = place.client();
    let start = Instant::now();
    let inputs = (0..5000).map(|n: u32| n.to_string());
    let results = client.blocking_map(ECHO, inputs, 1000.try_into().unwrap());
    for (n, result) in results.enumerate() {
        assert_eq!(result.unwrap(), n.to_string());
    }
    println!("5000 tasks took {:?}", start.elapsed());
}
