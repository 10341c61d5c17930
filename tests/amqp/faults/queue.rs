//! Queues that are deleted, and tasks that always come back.

use std::time::Duration;

use lapin::options::{BasicGetOptions, BasicNackOptions, QueueDeleteOptions};
use outwork_core::{
    Executor, LossReason, Outcome, RetryPolicy, TaskErrorKind, TaskOptions, blocking::block_on,
};

use crate::support::{ECHO, PATIENCE, Place, SLEEP, left, on_channel, until};

/// How often a message may come back.
const DELIVERY_LIMIT: usize = 100;

fn loss(outcome: &Outcome) -> LossReason {
    match outcome.error().map(|error| error.kind().clone()) {
        Some(TaskErrorKind::WorkerLost(lost)) => lost.reason,
        other => panic!("it is not lost but {other:?}"),
    }
}

#[test]
pub fn a_task_whose_workers_are_always_lost_is_given_up_and_its_client_is_told() {
    let place = Place::new();
    let worker = place.worker(1);
    block_on(worker.drain(PATIENCE));
    drop(worker);
    let client = place.client();
    let three = std::num::NonZeroU32::new(3).unwrap();
    let options = TaskOptions::new().retry(RetryPolicy::fixed(three, Duration::ZERO));
    let task = ECHO.task(&"poison".to_owned()).unwrap().with_options(options);
    let mut poison = block_on(client.submit(task)).unwrap();
    let queue = format!("{}.q.{}", place.space.prefix(), place.queue);
    on_channel(&place, async |channel| {
        for _ in 0..DELIVERY_LIMIT {
            let options = BasicGetOptions::default();
            let got = channel.basic_get(queue.as_str().into(), options).await.unwrap().unwrap();
            let back = BasicNackOptions { requeue: true, ..Default::default() };
            channel.basic_nack(got.delivery.delivery_tag, back).await.unwrap();
        }
    });
    let worker = place.worker(1);
    let outcome = poison.wait_timeout(PATIENCE).unwrap();
    assert_eq!(loss(&outcome), LossReason::Died, "{outcome:?}");
    assert_eq!(outcome.attempts(), 0);
    until("it is buried", || worker.status().dead == 1);
    until("nothing is in hand", || worker.status().in_hand == 0);
    assert_eq!((left(&place, "q"), left(&place, "dead")), (0, 1));
    let mut next = block_on(client.submit(ECHO.task(&"next".to_owned()).unwrap())).unwrap();
    assert!(next.wait_timeout(PATIENCE).unwrap().is_success());
}

#[test]
fn a_client_whose_queue_of_replies_was_deleted_resolves_its_handles_and_goes_on() {
    let place = Place::new();
    let worker = place.worker(2);
    let client = place.client();
    let mut handle = block_on(client.submit(SLEEP.task(&10_000).unwrap())).unwrap();
    until("it runs", || worker.status().running == 1);
    let broker = outwork_test_broker::Broker::shared().unwrap();
    let vhost = place.space.vhost();
    let queues = broker.ctl(&["list_queues", "--vhost", vhost, "--silent", "name"]).unwrap();
    let replies = queues.lines().find(|name| name.contains(".r.")).unwrap().to_owned();
    on_channel(&place, async |channel| {
        channel.queue_delete(replies.into(), QueueDeleteOptions::default()).await.unwrap();
    });
    let outcome = handle.wait_timeout(PATIENCE).unwrap();
    assert_eq!(loss(&outcome), LossReason::Disconnected, "{outcome:?}");
    let mut next = block_on(client.submit(ECHO.task(&"next".to_owned()).unwrap())).unwrap();
    assert!(next.wait_timeout(PATIENCE).unwrap().is_success());
    until("the end that was given up has come all the same", || client.status().counts.late == 1);
}
