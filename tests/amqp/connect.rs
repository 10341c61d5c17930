//! Bad input: each its own kind of error, in time, with what to do about it.

use std::time::{Duration, Instant};

use outwork_amqp::{
    AmqpExecutor, AmqpWorker, ConnectError, ConnectErrorKind, ConnectOptions, QueueKind, QueueName,
};
use outwork_core::blocking::block_on;

use crate::support::Place;

fn refused(options: ConnectOptions, queue: &str) -> ConnectError {
    let start = Instant::now();
    let queue = QueueName::new(queue).unwrap();
    let error = block_on(AmqpExecutor::builder(options).queue(queue).connect()).unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(16), "{error} after {:?}", start.elapsed());
    error
}

fn must_say(error: &ConnectError, kind: ConnectErrorKind, words: &[&str]) {
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is missing: {text}");
    }
    assert!(!text.contains("secret"), "{text}");
}

fn with(place: &Place, user: &str, vhost: &str) -> ConnectOptions {
    let url = place.space.url();
    let host = url.split_once('@').unwrap().1.split_once('/').unwrap().0;
    ConnectOptions::new(&format!("amqp://{user}@{host}/{vhost}")).unwrap()
}

#[test]
fn a_url_that_does_not_read_is_refused() {
    let error = ConnectOptions::new("http://guest:secret@localhost").unwrap_err();
    must_say(&error, ConnectErrorKind::InvalidUrl, &["amqp://"]);
}

#[test]
fn a_port_that_nobody_listens_on_is_unreachable() {
    let options = ConnectOptions::new("amqp://guest:secret@127.0.0.1:1/v").unwrap();
    let error = refused(options, "jobs");
    must_say(&error, ConnectErrorKind::Unreachable, &["127.0.0.1:1", "RabbitMQ"]);
}

#[test]
fn a_port_that_never_answers_is_unreachable() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let options = ConnectOptions::new(&format!("amqp://guest:secret@127.0.0.1:{port}/v")).unwrap();
    let error = refused(options.timeout(Duration::from_secs(1)), "jobs");
    must_say(&error, ConnectErrorKind::Unreachable, &["no answer", "1s"]);
}

#[test]
fn a_wrong_password_is_told() {
    let place = Place::new();
    let error = refused(with(&place, "guest:secret", place.space.vhost()), "jobs");
    must_say(&error, ConnectErrorKind::AccessDenied, &["guest", "password"]);
}

#[test]
fn a_missing_virtual_host_is_told() {
    let place = Place::new();
    let error = refused(with(&place, "guest:guest", "nowhere"), "jobs");
    must_say(&error, ConnectErrorKind::VhostNotFound, &["nowhere", "add_vhost"]);
}

#[test]
fn a_missing_queue_is_told() {
    let place = Place::new();
    let error = refused(place.options(), "mistyped");
    must_say(&error, ConnectErrorKind::Missing, &["mistyped", "start a worker"]);
}

#[test]
fn what_a_user_may_not_do_is_told() {
    let broker = outwork_test_broker::Broker::shared().unwrap();
    let place = Place::on(&broker);
    broker.ctl(&["add_user", "reader", "secret"]).unwrap();
    let elsewhere = refused(with(&place, "reader:secret", place.space.vhost()), "jobs");
    must_say(&elsewhere, ConnectErrorKind::NotPermitted, &["reader", "set_permissions"]);
    let vhost = place.space.vhost();
    broker.ctl(&["set_permissions", "--vhost", vhost, "reader", "^none$", "^none$", ".*"]).unwrap();
    let options = with(&place, "reader:secret", vhost);
    let pool = Place::pool(1);
    let error = block_on(AmqpWorker::builder(options, pool).start()).unwrap_err();
    must_say(
        &error,
        ConnectErrorKind::NotPermitted,
        &["reader", "outwork.task", "set_permissions"],
    );
}

#[test]
fn a_queue_with_other_settings_is_explained() {
    let place = Place::new();
    let _quorum = place.worker(1);
    let classic = place.worker_builder(Place::pool(1)).queue_kind(QueueKind::Classic);
    let error = block_on(classic.start()).unwrap_err();
    // Which of the arguments that differ it names is the broker's choice.
    let words = ["outwork.q.jobs", "with other settings: x-", " there and ", " here"];
    must_say(&error, ConnectErrorKind::Mismatch, &words);
}
