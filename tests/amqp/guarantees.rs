//! The column of AMQP in the README's table of guarantees, cell by cell and in its words.

use std::time::Duration;

use outwork_amqp::{AmqpExecutor, QueueKind};
use outwork_core::{Executor, Phase, State, SubmitErrorKind, TaskOptions, blocking::block_on};
use outwork_test_broker::Broker;

use crate::{
    cancel, faults,
    support::{ECHO, PATIENCE, Place, SLEEP, until},
};

#[test]
fn delivery_at_least_once_duplicates_only_after_a_crash_or_a_cut_connection_never_lost() {
    faults::worker::the_tasks_of_a_worker_that_was_killed_are_run_by_another();
}

#[test]
fn running_task_survives_the_callers_sigkill_yes() {
    faults::client::the_tasks_of_a_client_that_was_killed_are_run();
}

#[test]
fn cancel_queued_yes() {
    cancel::a_task_that_was_cancelled_while_no_worker_was_there_never_starts();
}

#[test]
fn cancel_running_as_the_workers_pool_can() {
    let place = Place::new();
    let worker = place.worker(1);
    let client = place.client();
    let mut running = block_on(client.submit(SLEEP.task(&60_000).unwrap())).unwrap();
    until("it runs", || worker.status().running == 1);
    // The body looks whether it is to stop, as bodies on threads have to.
    running.cancel();
    let outcome = running.wait_timeout(PATIENCE).unwrap();
    assert_eq!(outcome.state(), State::Cancelled);
}

#[test]
fn time_limit_as_the_workers_pool_can() {
    let place = Place::new();
    let _worker = place.worker(1);
    let client = place.client();
    let options = TaskOptions::new().time_limit(Duration::from_millis(300)).unwrap();
    let task = SLEEP.task(&60_000).unwrap().with_options(options);
    let outcome = block_on(client.submit(task)).unwrap().wait_timeout(PATIENCE).unwrap();
    assert_eq!(outcome.state(), State::TimedOut);
}

#[test]
fn crash_of_one_task_contained_given_up_after_100_lost_workers() {
    faults::worker::a_process_of_the_pool_that_is_killed_takes_its_task_along_and_no_other();
    faults::queue::a_task_whose_workers_are_always_lost_is_given_up_and_its_client_is_told();
}

#[test]
fn backpressure_bounded_unconfirmed_publishes_brokers_blocked_honoured() {
    let broker = Broker::private().unwrap();
    let place = Place::on(&broker);
    let worker = place.worker_builder(Place::pool(1)).queue_kind(QueueKind::Quorum).start();
    let worker = block_on(worker).unwrap();
    let client = AmqpExecutor::builder(place.options()).queue(place.queue.clone()).limit(2);
    let client = block_on(client.connect()).unwrap();
    broker.ctl(&["set_vm_memory_high_watermark", "0.00001"]).unwrap();
    let task = || ECHO.task(&"x".to_owned()).unwrap();
    let handles: Vec<_> = (0..2).map(|_| client.try_submit(task()).unwrap()).collect();
    let refused = client.try_submit(task()).unwrap_err();
    assert_eq!(refused.kind(), SubmitErrorKind::Full);
    until("the executor tells that it cannot go on", || client.status().phase == Phase::Broken);
    assert!(handles.iter().all(|handle| handle.state() == State::Pending));
    broker.ctl(&["set_vm_memory_high_watermark", "0.4"]).unwrap();
    for mut handle in handles {
        assert!(handle.wait_timeout(PATIENCE).unwrap().is_success());
    }
    until("it goes on", || client.status().phase == Phase::Running);
    drop(worker);
}
