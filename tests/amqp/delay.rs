//! Delays, by the broker and by the worker.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use outwork_amqp::AmqpExecutor;
use outwork_core::{
    BoxError, Executor, Registry, RetryPolicy, TaskDef, TaskId, TaskOptions, blocking::block_on,
};
use outwork_local::ThreadPool;

use crate::support::{ECHO, PATIENCE, Place, left, until};

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

/// Fails once, and says when it runs.
const FAIL_ONCE: TaskDef<(), u64> = TaskDef::new("delay.fail-once");

/// The delays between attempts, in seconds, that are mixed in one queue.
const MIXED: [u64; 3] = [1, 3, 40];

/// How many tasks of each delay there are in one round.
const EACH: usize = 8;

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// Lets tasks fail whose next attempts are due after 1 s, 3 s and 40 s, all in one queue, and
/// looks when each of them comes.
fn climb_the_ladder(place: &Place, client: &AmqpExecutor, failed: &Failures) {
    let twice = NonZeroU32::new(2).unwrap();
    let submit = |seconds: u64| {
        let retry = RetryPolicy::fixed(twice, Duration::from_secs(seconds));
        let task = FAIL_ONCE.task(&()).unwrap().with_options(TaskOptions::new().retry(retry));
        (seconds, task.id(), block_on(client.submit(task)).unwrap())
    };
    let delays = (0..EACH * MIXED.len()).map(|n| MIXED[n % MIXED.len()]);
    let handles: Vec<_> = delays.map(submit).collect();
    for (seconds, id, handle) in handles {
        let delay = Duration::from_secs(seconds);
        let outcome = handle.decoded::<u64>().wait_timeout(delay + 2 * PATIENCE).unwrap();
        assert_eq!(outcome.attempts(), 2);
        let ran = Duration::from_millis(outcome.into_result().unwrap());
        let took = ran.saturating_sub(failed.lock().unwrap()[&id]);
        let allowed = Duration::from_secs(1).max(delay / 20);
        // The clocks of the wire have milliseconds.
        assert!(took + Duration::from_millis(2) >= delay, "{delay:?} took only {took:?}");
        assert!(took <= delay + allowed, "{delay:?} took {took:?}");
        println!("{delay:?} took {took:?}");
    }
    until("nothing is in flight", || client.status().in_flight == 0);
    assert_eq!(left(place, "q"), 0);
}

/// When the first attempt of each task has failed.
type Failures = Mutex<HashMap<TaskId, Duration>>;

fn climb(rounds: usize) {
    let place = Place::new();
    let failed = Arc::new(Failures::default());
    let mut registry = Registry::new();
    let noted = Arc::clone(&failed);
    registry
        .register(FAIL_ONCE, move |ctx, ()| {
            if ctx.attempt() > 1 {
                return Ok(u64::try_from(since_1970().as_millis())?);
            }
            noted.lock().unwrap().insert(ctx.task_id(), since_1970());
            Err::<u64, BoxError>("not yet".into())
        })
        .unwrap();
    let pool = ThreadPool::builder().registry(registry).workers(4).build().unwrap();
    let worker = block_on(place.worker_builder(Arc::new(pool)).start()).unwrap();
    let client = place.client();
    (0..rounds).for_each(|_| climb_the_ladder(&place, &client, &failed));
    assert_eq!(worker.status().retried, (rounds * EACH * MIXED.len()) as u64);
    assert_eq!(worker.status().dead, 0);
}

#[test]
fn retries_after_1_3_and_40_seconds_in_one_queue_are_each_due_in_time() {
    climb(1);
}

#[test]
#[ignore = "takes seven minutes: run it with `--ignored`"]
fn ten_rounds_of_the_ladder_lose_nothing() {
    climb(10);
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
    let client = AmqpExecutor::builder(place.options()).queue(name("a.b"));
    let client = block_on(client.connect()).unwrap();
    let options = TaskOptions::new().delay(Duration::from_secs(1));
    let task = ECHO.task(&String::new()).unwrap().with_options(options);
    let mut handle = block_on(client.submit(task)).unwrap();
    assert!(handle.wait_timeout(PATIENCE).unwrap().is_success());
    until("its worker has counted it", || long.status().done == 1);
    assert_eq!(short.status().done, 0);
    assert_eq!(short.status().dead, 0);
}
