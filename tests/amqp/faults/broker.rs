//! Brokers that die, each the private one of its test.

use std::time::Duration;

use outwork_core::{Batch, Executor, SubmitErrorKind, blocking::block_on};
use outwork_test_broker::Broker;

use crate::support::{PATIENCE, Place, SLEEP, left, until};

/// How long a broker is dead.
const AWAY: Duration = Duration::from_millis(300);

#[test]
fn every_task_that_was_accepted_is_run_although_the_broker_is_killed() {
    let broker = Broker::private().unwrap();
    let place = Place::on(&broker);
    let worker = place.worker(2);
    let client = place.client();
    let handles = std::thread::scope(|scope| {
        let submitting = scope.spawn(|| {
            let mut handles = Vec::new();
            for n in 0..300_u64 {
                std::thread::sleep(Duration::from_millis(5));
                match block_on(client.submit(SLEEP.task(&(n % 10)).unwrap())) {
                    Ok(handle) => handles.push(handle),
                    // Nothing was promised, and the task was given back.
                    Err(error) => assert_eq!(error.kind(), SubmitErrorKind::Unconfirmed, "{error}"),
                }
            }
            handles
        });
        until("some are done", || worker.status().done > 20);
        broker.kill().unwrap();
        std::thread::sleep(AWAY);
        broker.resume().unwrap();
        submitting.join().unwrap()
    });
    assert!(handles.len() > 200, "only {} were accepted", handles.len());
    for mut handle in handles {
        let outcome = handle.wait_timeout(2 * PATIENCE).unwrap();
        assert!(outcome.is_success(), "{outcome:?}");
    }
    until("nothing is in hand", || worker.status().in_hand == 0);
    assert_eq!(client.status().in_flight, 0);
}

#[test]
fn tasks_that_travel_together_are_all_run_although_the_broker_is_killed() {
    let broker = Broker::private().unwrap();
    let place = Place::on(&broker);
    let worker = place.worker(2);
    let client = place.client();
    let tasks = |count: usize| (0..count).map(|_| SLEEP.task(&1).unwrap()).collect();
    // Then it is known how short they are.
    for mut handle in block_on(client.submit_many(tasks(20), Batch::Wait)).unwrap() {
        assert!(handle.wait_timeout(PATIENCE).unwrap().is_success());
    }
    let handles = block_on(client.submit_many(tasks(3000), Batch::Wait)).unwrap();
    until("some are done", || worker.status().done > 200);
    assert!(handles.iter().any(|handle| !handle.state().is_final()), "all are done");
    broker.kill().unwrap();
    std::thread::sleep(AWAY);
    broker.resume().unwrap();
    for mut handle in handles {
        let outcome = handle.wait_timeout(2 * PATIENCE).unwrap();
        assert!(outcome.is_success(), "{outcome:?}");
    }
    until("nothing is in hand", || worker.status().in_hand == 0 && left(&place, "q") == 0);
    assert_eq!((client.status().in_flight, left(&place, "dead")), (0, 0));
}
