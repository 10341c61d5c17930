//! What is told of the work: the caller's trace, spans, counters.

mod counted;
mod spans;

use std::{num::NonZeroU32, time::Duration};

use outwork_amqp::{AmqpExecutor, AmqpWorker, ConnectOptions, QueueName};
use outwork_core::{
    Cancel, Executor, RetryPolicy, SubmitErrorKind, Task, TaskDef, TaskHandle, TaskOptions,
    TraceContext, blocking::block_on,
};
use outwork_test_broker::Broker;

use self::counted::Counts;
pub use self::spans::{Spans, Watcher};
use crate::{
    proxy::{Line, Proxy},
    support::{ECHO, FAIL, PATIENCE, Place, SLEEP, TRACE, until},
};

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn traced() -> TaskOptions {
    TaskOptions::new().trace(TraceContext {
        traceparent: format!("00-{TRACE_ID}-00f067aa0ba902b7-01"),
        tracestate: Some("congo=t61rcWkgMzE".to_owned()),
    })
}

/// Submits a task that replies its trace after some time.
fn submit(client: &dyn Executor, ms: u64) -> TaskHandle<Option<TraceContext>> {
    let task = TRACE.task(&ms).unwrap().with_options(traced());
    block_on(client.submit(task)).unwrap().decoded()
}

fn must_have_come(mut handle: TaskHandle<Option<TraceContext>>) {
    let trace = handle.wait_timeout(PATIENCE).unwrap().into_result().unwrap();
    assert_eq!(trace, traced().trace);
}

#[test]
fn the_callers_trace_comes_along_when_a_task_is_given_back_or_delivered_again() {
    let place = Place::new();
    let worker = place.worker(1);
    let client = place.client();
    must_have_come(submit(&client, 0));
    let given_back = submit(&client, 2000);
    until("it runs", || worker.status().running == 1);
    assert_eq!(block_on(worker.drain(Duration::from_millis(100))).interrupted, 1);
    let worker = place.worker(1);
    until("it runs again", || worker.status().running == 1);
    // Leaves with the task in hand, which the broker delivers again.
    drop(worker);
    let _worker = place.worker(1);
    must_have_come(given_back);
}

#[test]
fn each_attempt_has_a_span_and_so_has_its_submission() {
    let spans = Spans::watch();
    let place = Place::new();
    let worker = place.worker(1);
    let client = place.client();
    let twice = NonZeroU32::new(2).unwrap();
    let options = traced().retry(RetryPolicy::fixed(twice, Duration::ZERO));
    let task = FAIL.task(&"no".to_owned()).unwrap().with_options(options);
    let id = task.id().to_string();
    block_on(client.submit(task)).unwrap().wait_timeout(PATIENCE).unwrap();
    until("the last span is closed", || spans.closed_of("attempt", &id).len() == 2);
    for (span, attempt) in [("submit", "1"), ("attempt", "1"), ("attempt", "2")] {
        let fields = [
            ("task_id", id.as_str()),
            ("task_name", "test.fail"),
            ("attempt", attempt),
            ("queue", "jobs"),
            ("trace_id", TRACE_ID),
        ];
        let found = spans.closed_of(span, &id);
        assert!(
            found.iter().any(|span| fields.iter().all(|(k, v)| span.fields[*k] == *v)),
            "{span}: {found:#?}"
        );
    }
    // What is told of the end stands in the span of its attempt.
    let told: Vec<_> =
        spans.closed_of("attempt", &id).into_iter().flat_map(|span| span.events).collect();
    assert!(["retrying", "finished"].iter().all(|what| told.contains(&(*what).to_owned())));
    let detached = ECHO.task(&"x".to_owned()).unwrap();
    let (id, many) = (detached.id().to_string(), ECHO.task(&"y".to_owned()).unwrap());
    block_on(client.submit_detached(detached)).unwrap();
    assert_eq!(spans.closed_of("submit", &id).len(), 1);
    let (id, later) = (many.id().to_string(), ECHO.task(&"z".to_owned()).unwrap());
    block_on(client.submit_many(vec![many], outwork_core::Batch::Wait)).unwrap();
    assert_eq!(spans.closed_of("submit_many", &id)[0].fields["tasks"], "1");
    let id = later.id().to_string();
    drop(client.try_submit(later).unwrap());
    assert_eq!(spans.closed_of("submit", &id).len(), 1);
    until("all is done", || worker.status().in_hand == 0);
}

/// A place whose queue no other test has, so that what is counted for it is this test's.
fn counted_place(queue: &str) -> Place {
    let mut place = Place::new();
    place.queue = QueueName::new(queue).unwrap();
    place
}

#[test]
fn what_a_worker_does_is_counted_for_its_queue() {
    let counts = Counts::start();
    let place = counted_place("counted");
    let settled = |end: &str| counts.of(&format!("settled_total queue=counted outcome={end}"));
    let dead = |why: &str| counts.of(&format!("dead_total queue=counted reason={why}"));
    let proxy = Proxy::before(Broker::shared().unwrap().address());
    let options = ConnectOptions::new(&proxy.url(place.space.url())).unwrap();
    let worker = AmqpWorker::builder(options, Place::pool(1)).queue(place.queue.clone());
    let worker = block_on(worker.start()).unwrap();
    let client = place.client();
    let submit = |task: Task| block_on(client.submit(task)).unwrap();
    let run = |task: Task| submit(task).wait_timeout(PATIENCE).unwrap();

    run(ECHO.task(&"x".to_owned()).unwrap());
    let twice = RetryPolicy::fixed(NonZeroU32::new(2).unwrap(), Duration::ZERO);
    run(FAIL.task(&"no".to_owned()).unwrap().with_options(TaskOptions::new().retry(twice)));
    let limited = TaskOptions::new().time_limit(Duration::from_millis(50)).unwrap();
    run(SLEEP.task(&60_000).unwrap().with_options(limited));
    run(TaskDef::<(), ()>::new("nobody.knows").task(&()).unwrap());
    until("all of them are acknowledged", || worker.status().in_hand == 0);
    assert_eq!(counts.of("delivered_total queue=counted"), 5);
    for (end, times) in [("succeeded", 1), ("retried", 1), ("timed-out", 1), ("failed", 2)] {
        assert_eq!(settled(end), times, "{end}");
    }
    assert_eq!((dead("unknown-task"), dead("undecodable")), (1, 0));

    let cut_off = submit(SLEEP.task(&1500).unwrap());
    until("it runs", || worker.status().running == 1);
    proxy.lines().iter().for_each(Line::reset);
    assert!({ cut_off }.wait_timeout(PATIENCE).unwrap().is_success());
    until("the copy was known", || counts.of("copies_total queue=counted") == 1);
    for role in ["publish", "consume"] {
        assert!(counts.of(&format!("reconnects_total role={role}")) >= 1, "{role}");
    }

    let running = submit(SLEEP.task(&60_000).unwrap());
    until("it runs", || worker.status().running == 1);
    running.cancel();
    assert!({ running }.wait_timeout(PATIENCE).unwrap().error().is_some());
    until("its end is settled", || settled("cancelled") == 1);
    let _given_back = submit(SLEEP.task(&60_000).unwrap());
    until("it runs", || worker.status().running == 1);
    block_on(worker.drain(Duration::from_millis(100)));
    assert_eq!(settled("given-back"), 1);

    // Its message comes up when the client has long been told.
    let client = place.client();
    let mut buried = block_on(client.submit(ECHO.task(&"x".to_owned()).unwrap())).unwrap();
    assert_eq!(block_on(client.cancel(buried.task_id())), Cancel::Confirmed);
    assert!(buried.wait_timeout(PATIENCE).unwrap().error().is_some());
    let _other = place.worker(2);
    until("the late result is counted", || client.status().counts.late == 1);
    assert!(counts.of("late_results_total") >= 1);
    for outcome in ["succeeded", "failed", "timed-out", "cancelled"] {
        assert!(counts.of(&format!("outcomes_total outcome={outcome}")) >= 1, "{outcome}");
    }
}

#[test]
fn what_becomes_of_messages_is_counted() {
    let counts = Counts::start();
    let became = |what: &str| counts.of(&format!("publishes_total result={what}"));
    let broker = Broker::shared().unwrap();
    let place = counted_place("counted.too");
    let worker = place.worker(1);
    block_on(worker.drain(PATIENCE));
    drop(worker);
    let proxy = Proxy::before(broker.address());
    let options = ConnectOptions::new(&proxy.url(place.space.url())).unwrap();
    let options = options.confirm_timeout(Duration::from_secs(1));
    let client = AmqpExecutor::builder(options).queue(place.queue.clone());
    let client = block_on(client.connect()).unwrap();
    let submit = || block_on(client.submit(ECHO.task(&"x".to_owned()).unwrap()));
    drop(submit().unwrap());
    assert!(counts.of("published_total") >= 1 && became("confirmed") >= 1);

    let (vhost, queues) = (place.space.vhost(), "^outwork[.]q[.]counted[.]too$");
    let full = ["set_policy", "--vhost", vhost, "full", queues, r#"{"max-length":1}"#];
    broker.ctl(&full).unwrap();
    let refused = |_: &u32| submit().is_err_and(|error| error.kind() == SubmitErrorKind::Full);
    assert!((0..100).find(refused).is_some(), "the queue takes any number");
    assert!(became("refused") >= 1);

    proxy.lines().iter().for_each(Line::die);
    assert_eq!(submit().unwrap_err().kind(), SubmitErrorKind::Unconfirmed);
    assert!(became("unconfirmed") >= 1);
    proxy.close_door();
    proxy.lines().iter().for_each(Line::reset);
    until("the client knows", || client.status().phase == outwork_core::Phase::Broken);
    assert_eq!(submit().unwrap_err().kind(), SubmitErrorKind::Infrastructure);
    assert!(became("not-sent") >= 1);
}
