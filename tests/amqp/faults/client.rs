//! Clients that are killed, and clients that are cut off.

use std::{collections::HashMap, time::Duration};

use outwork_amqp::{AmqpExecutor, ConnectOptions};
use outwork_core::{EventFilter, EventKind, Executor, blocking::block_on};
use outwork_test_broker::Broker;

use super::{
    scene::{Bodies, RUN, pool},
    victim::{Part, Victim},
};
use crate::{
    proxy::{Line, Proxy},
    support::{PATIENCE, Place, left, until},
};

/// How many tasks are in flight.
const MANY: u64 = 1000;

/// How long a client is cut off.
const AWAY: Duration = Duration::from_secs(30);

#[test]
pub fn the_tasks_of_a_client_that_was_killed_are_run() {
    if let Some(part) = Part::of_this_process() {
        let client = AmqpExecutor::builder(part.options).queue(part.queue);
        let client = block_on(client.connect()).unwrap();
        let tasks = (1..=MANY).map(|number| RUN.task(&number).unwrap()).collect();
        let handles = block_on(client.submit_many(tasks, outwork_core::Batch::Wait)).unwrap();
        Part::wait_for_the_end();
        drop(handles);
        return;
    }
    let place = Place::new();
    let bodies = Bodies::shared();
    let worker = block_on(place.worker_builder(pool(&bodies)).start()).unwrap();
    worker.pause();
    let test = "faults::client::the_tasks_of_a_client_that_was_killed_are_run";
    let mut client = Victim::start(test, &place);
    client.wait_ready();
    client.kill();
    worker.resume();
    until("all are run", || worker.status().done == MANY);
    assert!((1..=MANY).all(|number| bodies.runs_of(number) == 1));
    block_on(worker.drain(PATIENCE));
    assert_eq!((left(&place, "q"), left(&place, "dead")), (0, 0));
}

#[test]
fn a_client_that_was_cut_off_for_30_seconds_gets_every_result_once() {
    let broker = Broker::shared().unwrap();
    let place = Place::on(&broker);
    let bodies = Bodies::shared();
    let worker = block_on(place.worker_builder(pool(&bodies)).start()).unwrap();
    let proxy = Proxy::before(broker.address());
    let options = ConnectOptions::new(&proxy.url(place.space.url())).unwrap();
    let client = AmqpExecutor::builder(options).queue(place.queue.clone());
    let client = block_on(client.connect()).unwrap();
    let mut events =
        client.events(EventFilter::all().capacity((8 * MANY as usize).try_into().unwrap()));
    worker.pause();
    let tasks = (1..=MANY).map(|number| RUN.task(&number).unwrap()).collect();
    let handles = block_on(client.submit_many(tasks, outwork_core::Batch::Wait)).unwrap();
    worker.resume();
    until("some are done", || worker.status().done > MANY / 20);
    proxy.close_door();
    proxy.lines().iter().for_each(Line::reset);
    std::thread::sleep(AWAY);
    until("all are done without it", || worker.status().done == MANY);
    proxy.open_door();
    for (number, handle) in (1..=MANY).zip(handles) {
        let outcome = handle.decoded::<u64>().wait_timeout(2 * PATIENCE).unwrap();
        assert_eq!(outcome.into_result().unwrap(), number);
        assert_eq!(bodies.runs_of(number), 1);
    }
    let mut ends = HashMap::new();
    while let Some(event) = events.next_timeout(Duration::ZERO) {
        let event = event.unwrap();
        if matches!(event.kind, EventKind::Finished { .. }) {
            *ends.entry(event.task_id).or_insert(0) += 1;
        }
    }
    assert!(ends.len() == MANY as usize && ends.values().all(|ends| *ends == 1));
}
