//! Workers that leave.

use std::time::Duration;

use outwork_core::{Executor, State, blocking::block_on};

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
