//! A task there, and its result back.

use std::time::Instant;

use outwork_core::{Executor, ExecutorExt, blocking::block_on};

use crate::support::{ECHO, PATIENCE, Place, SLEEP};

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
    crate::support::until("it runs", || worker.status().running == 1);
    let report = block_on(worker.drain(PATIENCE));
    assert_eq!(report.given_back, 0);
    let outcome = handle.decoded::<u64>().wait_timeout(PATIENCE).unwrap();
    assert_eq!(outcome.into_result().unwrap(), 300);
}
