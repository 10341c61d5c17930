//! Workers that leave.

use std::time::Duration;

use outwork_core::{Executor, Shutdown, State, blocking::block_on};

use crate::support::{ECHO, PATIENCE, Place, SLEEP, until};

#[test]
fn what_is_given_back_at_the_end_of_a_drain_is_run_by_another_worker() {
    let place = Place::new();
    let worker = place.worker(1);
    let client = place.client();
    let running = block_on(client.submit(SLEEP.task(&60_000).unwrap())).unwrap();
    until("it runs", || worker.status().running == 1);
    let queued = block_on(client.submit(ECHO.task(&"queued".to_owned()).unwrap())).unwrap();
    let report = block_on(worker.drain(Duration::from_millis(300)));
    assert!(report.given_back >= 1, "{report:?}");
    assert_eq!(report.interrupted, 1, "{report:?}");
    drop(worker);
    let other = place.worker(2);
    until("it runs there", || other.status().running == 1);
    assert!(queued.decoded::<String>().wait_timeout(PATIENCE).unwrap().is_success());
    running.cancel();
    let mut running = running;
    let outcome = running.wait_timeout(PATIENCE).unwrap();
    assert_eq!(outcome.state(), State::Cancelled);
}

/// The queues of replies that are there.
fn reply_queues(place: &Place) -> usize {
    let broker = outwork_test_broker::Broker::shared().unwrap();
    let vhost = place.space.vhost();
    let queues = broker.ctl(&["list_queues", "--vhost", vhost, "--silent", "name"]).unwrap();
    queues.lines().filter(|name| name.contains(".r.")).count()
}

#[test]
fn a_client_that_leaves_takes_its_queue_of_replies_along() {
    let place = Place::new();
    let worker = place.worker(1);
    let client = place.client();
    let mut handle = block_on(client.submit(ECHO.task(&"x".to_owned()).unwrap())).unwrap();
    assert_eq!(reply_queues(&place), 1);
    let leaving = Shutdown::drain(PATIENCE);
    assert!(block_on(client.shutdown(leaving)).stopped);
    assert_eq!(reply_queues(&place), 0);
    assert!(handle.wait_timeout(PATIENCE).unwrap().is_success());
    // One that does not wait for what nobody has a handle of: that result is dropped.
    let client = place.client();
    drop(block_on(client.submit(SLEEP.task(&5000).unwrap())).unwrap());
    until("it runs", || worker.status().running == 1);
    drop(client);
    until("its queue is gone", || reply_queues(&place) == 0);
    assert_eq!(worker.status().running, 1, "the task has ended before");
    until("the result was dropped", || worker.status().dropped_results == 1);
}
