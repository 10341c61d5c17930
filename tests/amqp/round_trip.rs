//! A task there, and its result back.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use lapin::{
    options::{BasicGetOptions, BasicPublishOptions, QueueBindOptions, QueueDeclareOptions},
    types::FieldTable,
};
use outwork_core::{
    Executor, ExecutorExt, State, Task, TaskErrorKind, TaskOptions, blocking::block_on,
};

use crate::support::{
    ECHO, FAIL, PATIENCE, Place, SLEEP, STUBBORN, left, on_channel, queue, until,
};

#[test]
fn a_task_runs_on_a_worker_and_its_result_comes_back() {
    let place = Place::new();
    let _worker = place.worker(2);
    let client = place.client();
    for text in ["one", "two"] {
        let result = client.blocking_call(ECHO, &text.to_owned()).unwrap();
        assert_eq!(result, text);
    }
    let start = Instant::now();
    let handles: Vec<_> = (0..500)
        .map(|n| block_on(client.submit(ECHO.task(&n.to_string()).unwrap())).unwrap())
        .collect();
    println!("500 submissions in {:?}", start.elapsed());
    for (n, handle) in handles.into_iter().enumerate() {
        let outcome = handle.decoded::<String>().wait_timeout(PATIENCE).unwrap();
        assert_eq!(outcome.into_result().unwrap(), n.to_string());
    }
    println!("500 results in {:?}", start.elapsed());
    assert_eq!(client.status().in_flight, 0);
}

#[test]
fn a_worker_that_drains_finishes_what_runs() {
    let place = Place::new();
    let worker = place.worker(2);
    let client = place.client();
    let handle = block_on(client.submit(SLEEP.task(&300).unwrap())).unwrap();
    until("it runs", || worker.status().running == 1);
    let report = block_on(worker.drain(PATIENCE));
    assert_eq!(report.given_back, 0);
    let outcome = handle.decoded::<u64>().wait_timeout(PATIENCE).unwrap();
    assert_eq!(outcome.into_result().unwrap(), 300);
}

/// What `limits::a_late_result_is_dropped_and_counted` asks of an executor. Here nothing late
/// travels: the pool that has given a body up drops what it returns, and counts it.
#[test]
fn a_late_result_is_dropped_and_counted_where_its_body_runs() {
    let place = Place::new();
    let pool = Place::pool(1);
    let _worker = block_on(place.worker_builder(Arc::clone(&pool)).start()).unwrap();
    let client = place.client();
    let options = TaskOptions::new().time_limit(Duration::from_millis(100)).unwrap();
    let task = STUBBORN.task(&1000).unwrap().with_options(options);
    let mut handle = block_on(client.submit(task)).unwrap();
    assert_eq!(handle.wait_timeout(PATIENCE).unwrap().state(), State::TimedOut);
    until("the body has returned", || pool.status().counts.late == 1);
    let mut next = block_on(client.submit(ECHO.task(&"x".to_owned()).unwrap())).unwrap();
    assert!(next.wait_timeout(PATIENCE).unwrap().is_success());
    let counts = client.status().counts;
    assert_eq!((counts.late, counts.timed_out, counts.succeeded), (0, 1, 1));
}

#[test]
fn a_gate_that_panics_fails_its_task_and_no_other() {
    let place = Place::new();
    let gate = |task: Task| match *task.name() == FAIL.name() {
        true => panic!("on purpose"),
        false => Ok(task),
    };
    let worker = block_on(place.worker_builder(Place::pool(1)).admit(gate).start()).unwrap();
    let client = place.client();
    let mut panics = block_on(client.submit(FAIL.task(&"x".to_owned()).unwrap())).unwrap();
    let outcome = panics.wait_timeout(PATIENCE).unwrap();
    let error = outcome.error().unwrap();
    assert_eq!((outcome.attempts(), error.kind()), (0, &TaskErrorKind::Panicked), "{error}");
    assert_eq!(client.blocking_call(ECHO, &"next".to_owned()).unwrap(), "next");
    until("nothing is in hand", || worker.status().in_hand == 0);
}

/// Whoever can submit could else have a worker write to any queue.
#[test]
fn a_task_that_wants_its_result_where_none_may_go_is_run_and_sends_none() {
    let place = Place::new();
    block_on(place.worker(1).drain(PATIENCE));
    let client = place.client();
    let _handle = block_on(client.submit(ECHO.task(&"x".to_owned()).unwrap())).unwrap();
    on_channel(&place, async |channel| {
        let taken = channel.basic_get(queue(&place, "q"), BasicGetOptions { no_ack: true });
        let message = taken.await.unwrap().unwrap().delivery;
        let (victim, none) = (queue(&place, "victim"), FieldTable::default());
        let declared = QueueDeclareOptions::durable();
        channel.queue_declare(victim.clone(), declared, none.clone()).await.unwrap();
        let replies = format!("{}.reply", place.space.prefix()).into();
        let bound = QueueBindOptions::default();
        channel.queue_bind(victim.clone(), replies, victim.clone(), bound, none).await.unwrap();
        let (tasks, key) = (message.exchange, message.routing_key);
        let (options, properties) = (BasicPublishOptions::default(), message.properties);
        let properties = properties.with_reply_to(victim);
        channel.basic_publish(tasks, key, options, &message.data, properties).await.unwrap();
    });
    let worker = place.worker(1);
    until("it has run", || worker.status().done == 1);
    assert_eq!((left(&place, "q"), left(&place, "victim")), (0, 0));
}
