//! What does not belong into a queue of tasks.

use futures_util::future::join_all;
use lapin::{
    BasicProperties, Connection, ConnectionProperties,
    options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions},
    types::{AMQPValue, FieldTable},
};
use outwork_amqp::AmqpExecutor;
use outwork_core::{Batch, Executor, Payload, Task, TaskErrorKind, TaskName, blocking::block_on};

use crate::support::{ECHO, PATIENCE, Place, until, until_within};

/// How many of each there are.
const MANY: usize = 10_000;

/// How many pieces of garbage are on their way at once.
const TOGETHER: usize = 100;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn celery() -> BasicProperties {
    let mut headers = FieldTable::default();
    headers.insert("lang".into(), AMQPValue::LongString("py".into()));
    headers.insert("task".into(), AMQPValue::LongString("proj.add".into()));
    BasicProperties::default().with_content_type("application/json".into()).with_headers(headers)
}

fn of_the_future() -> BasicProperties {
    let mut headers = FieldTable::default();
    headers.insert("ow-v".into(), AMQPValue::LongLongInt(9));
    headers.insert("ow-kind".into(), AMQPValue::LongString("task".into()));
    BasicProperties::default().with_headers(headers)
}

/// Puts garbage of all kinds into the queue, many pieces at once.
async fn litter(place: &Place) {
    let properties = ConnectionProperties::default();
    let connection = Connection::connect(place.space.url(), properties).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let exchange = format!("{}.task", place.space.prefix());
    for batch in 0..MANY / TOGETHER {
        let throw = |n: usize| {
            let (properties, body): (_, &[u8]) = match n % 4 {
                0 => (BasicProperties::default(), b""),
                1 => (BasicProperties::default(), b"\xc1\xff\x00 random"),
                2 => (celery(), b"[[1, 2], {}, {}]"),
                _ => (of_the_future(), b"\x80"),
            };
            let options = BasicPublishOptions { mandatory: true, ..Default::default() };
            let (exchange, key) = (exchange.as_str().into(), place.queue.as_str().into());
            let channel = &channel;
            async move {
                let sent = channel.basic_publish(exchange, key, options, body, properties);
                sent.await.unwrap().await.unwrap()
            }
        };
        let thrown = join_all((batch * TOGETHER..(batch + 1) * TOGETHER).map(throw)).await;
        assert!(thrown.iter().all(|confirmed| confirmed.is_ack()));
    }
}

#[test]
fn garbage_between_good_tasks_is_buried_with_its_reason_and_harms_nobody() {
    let place = Place::new();
    let worker = place.worker(2);
    let client = AmqpExecutor::builder(place.options()).queue(place.queue.clone()).limit(2 * MANY);
    let client = block_on(client.connect()).unwrap();
    let dead = format!("{}.dead.{}", place.space.prefix(), place.queue);
    let url = place.space.url().to_owned();
    let handles = std::thread::scope(|scope| {
        scope.spawn(|| runtime().block_on(litter(&place)));
        let tasks = (0..MANY).map(|n| ECHO.task(&n.to_string()).unwrap()).collect();
        block_on(client.submit_many(tasks, Batch::Wait)).unwrap()
    });
    for (n, handle) in handles.into_iter().enumerate() {
        let outcome = handle.decoded::<String>().wait_timeout(4 * PATIENCE).unwrap();
        assert_eq!(outcome.into_result().unwrap(), n.to_string());
    }
    until_within(4 * PATIENCE, "all garbage is buried", || worker.status().dead == MANY as u64);
    until("nothing is in hand", || worker.status().in_hand == 0);
    let reasons = runtime().block_on(async {
        let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let mut reasons = Vec::new();
        for _ in 0..4 {
            let options = BasicGetOptions { no_ack: true };
            let letter = channel.basic_get(dead.as_str().into(), options).await.unwrap().unwrap();
            let headers = letter.delivery.properties.headers().clone().unwrap();
            for name in ["ow-reason", "ow-error", "ow-origin", "ow-worker"] {
                assert!(headers.contains_key(name), "{name} is missing");
            }
            let Some(AMQPValue::LongString(reason)) = headers.inner().get("ow-reason") else {
                panic!("the reason is no text: {headers:?}");
            };
            reasons.push(String::from_utf8(reason.as_bytes().to_vec()).unwrap());
        }
        reasons
    });
    assert_eq!(reasons, ["undecodable"; 4]);
}

#[test]
fn a_task_that_no_worker_knows_is_rejected_and_buried() {
    let place = Place::new();
    let worker = place.worker(1);
    let client = place.client();
    let task = Task::new(TaskName::new("test.ecko").unwrap(), Payload::default());
    let mut handle = block_on(client.submit(task)).unwrap();
    let outcome = handle.wait_timeout(PATIENCE).unwrap();
    let error = outcome.error().unwrap();
    assert!(matches!(error.kind(), TaskErrorKind::Rejected(_)), "{error:?}");
    assert!(error.to_string().contains("test.echo"), "{error}");
    until("it is buried", || worker.status().dead == 1);
}

#[test]
fn a_task_that_is_too_large_is_refused_here_and_the_next_one_is_not() {
    let place = Place::new();
    let _worker = place.worker(1);
    let client = place.client();
    let large = ECHO.task(&"x".repeat(17 << 20)).unwrap();
    let error = block_on(client.submit(large)).unwrap_err();
    assert_eq!(error.kind(), outwork_core::SubmitErrorKind::TooLarge);
    assert!(error.to_string().contains("8388608"), "{error}");
    let mut next = block_on(client.submit(ECHO.task(&"small".to_owned()).unwrap())).unwrap();
    assert!(next.wait_timeout(PATIENCE).unwrap().is_success());
}
