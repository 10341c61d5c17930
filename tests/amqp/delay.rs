//! Delays, by the broker and by the worker.

use std::time::{Duration, Instant};

use outwork_core::{Executor, TaskOptions, blocking::block_on};

use crate::support::{ECHO, PATIENCE, Place, until};

#[test]
fn mixed_delays_in_one_queue_are_each_kept() {
    let place = Place::new();
    let _worker = place.worker(2);
    let client = place.client();
    let delays = [7, 1, 3, 0, 5, 2, 1, 4].map(|tenths| Duration::from_millis(tenths * 700));
    let start = Instant::now();
    let handles = delays.map(|delay| {
        let options = TaskOptions::new().delay(delay);
        let task = ECHO.task(&String::new()).unwrap().with_options(options);
        block_on(client.submit(task)).unwrap()
    });
    let submitted = start.elapsed();
    std::thread::scope(|scope| {
        for (delay, mut handle) in delays.into_iter().zip(handles) {
            scope.spawn(move || {
                assert!(handle.wait_timeout(PATIENCE).unwrap().is_success());
                let took = start.elapsed();
                assert!(took >= delay, "{delay:?} took only {took:?}");
                let allowed = delay + Duration::from_secs(1) + submitted;
                println!("{delay:?} took {took:?}");
                assert!(took <= allowed, "{delay:?} took {took:?}");
            });
        }
    });
}

#[test]
fn a_queue_whose_name_is_the_end_of_anothers_gets_none_of_its_tasks() {
    let place = Place::new();
    let name = |name: &str| outwork_amqp::QueueName::new(name).unwrap();
    let worker = |queue: &str| {
        let builder = outwork_amqp::AmqpWorker::builder(place.options(), Place::pool(1));
        block_on(builder.queue(name(queue)).start()).unwrap()
    };
    let (long, short) = (worker("a.b"), worker("b"));
    let client = outwork_amqp::AmqpExecutor::builder(place.options()).queue(name("a.b"));
    let client = block_on(client.connect()).unwrap();
    let options = TaskOptions::new().delay(Duration::from_secs(1));
    let task = ECHO.task(&String::new()).unwrap().with_options(options);
    let mut handle = block_on(client.submit(task)).unwrap();
    assert!(handle.wait_timeout(PATIENCE).unwrap().is_success());
    until("its worker has counted it", || long.status().done == 1);
    assert_eq!(short.status().done, 0);
    assert_eq!(short.status().dead, 0);
}
