use std::{
    net::TcpListener,
    sync::Arc,
    time::{Duration, Instant},
};

use outwork_amqp::{AmqpWorker, ConnectOptions, QueueKind, QueueName};
use outwork_core::{Executor, Registry, blocking::block_on};
use outwork_local::ThreadPool;
use outwork_test_broker::Broker;

use crate::farm::Farm;

/// More than a person should have to wait for the answer.
const LONGEST: Duration = Duration::from_secs(15);

/// A command ends with this code in time and says these words, and no password.
#[track_caller]
fn must_end(farm: &Farm, args: &[&str], url: &str, code: i32, words: &[&str]) {
    let start = Instant::now();
    let mut command = farm.command(args);
    command.env("OUTWORK_URL", url);
    let ran = crate::support::Running::start(command).ended();
    let took = start.elapsed();
    assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{args:?}: {}", ran.stderr);
    for word in words {
        assert!(ran.stderr.contains(word), "{args:?}: {word:?} is missing: {}", ran.stderr);
    }
    assert!(!ran.stderr.contains("secret"), "{}", ran.stderr);
    assert!(took < LONGEST, "{args:?} took {took:?}");
}

/// The same for each command that talks to a broker at once.
#[track_caller]
fn all_must_end(farm: &Farm, url: &str, code: i32, words: &[&str]) {
    let id = outwork_core::TaskId::new().to_string();
    let exec = ["exec", "--executor", "amqp", "--no-input", "--", "true"];
    for args in [&exec[..], &["worker"], &["submit", "demo.echo"], &["status", &id], &["ping"]] {
        must_end(farm, args, url, code, words);
    }
}

/// The URL of the farm's broker with another user and virtual host.
fn url(farm: &Farm, user: &str, vhost: &str) -> String {
    let host = farm.space.url().split_once('@').unwrap().1.split_once('/').unwrap().0;
    format!("amqp://{user}@{host}/{vhost}")
}

#[test]
fn a_url_that_does_not_read_is_a_usage_error() {
    all_must_end(&Farm::new(), "http://guest:secret@localhost", 2, &["OUTWORK_URL", "amqp://"]);
}

#[test]
fn a_port_that_nobody_listens_on_is_unreachable() {
    all_must_end(&Farm::new(), "amqp://guest:secret@127.0.0.1:1", 3, &["127.0.0.1:1", "RabbitMQ"]);
}

#[test]
fn a_port_that_never_answers_is_unreachable() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("amqp://guest:secret@{}", listener.local_addr().unwrap());
    must_end(&Farm::new(), &["worker"], &url, 3, &["no answer"]);
}

#[test]
fn a_wrong_password_is_refused() {
    let farm = Farm::new();
    let url = url(&farm, "guest:secret", farm.space.vhost());
    all_must_end(&farm, &url, 4, &["guest", "password"]);
}

#[test]
fn a_missing_virtual_host_is_refused() {
    let farm = Farm::new();
    all_must_end(&farm, &url(&farm, "guest:guest", "nowhere"), 4, &["nowhere", "add_vhost"]);
}

#[test]
fn a_missing_queue_is_refused() {
    let farm = Farm::new();
    for args in [
        &["exec", "--queue", "mistyped", "--executor", "amqp", "--no-input", "--", "true"][..],
        &["submit", "--queue", "mistyped", "demo.echo"],
        &["ping", "--queue", "mistyped"],
    ] {
        must_end(&farm, args, farm.space.url(), 4, &["mistyped", "start a worker"]);
    }
}

#[test]
fn what_a_user_may_not_do_is_refused() {
    let (broker, farm) = (Broker::shared().unwrap(), Farm::new());
    broker.ctl(&["add_user", "watcher", "secret"]).unwrap();
    let vhost = farm.space.vhost();
    let url = url(&farm, "watcher:secret", vhost);
    all_must_end(&farm, &url, 4, &["watcher", "set_permissions"]);
    broker
        .ctl(&["set_permissions", "--vhost", vhost, "watcher", "^none$", "^none$", ".*"])
        .unwrap();
    must_end(&farm, &["worker"], &url, 4, &["watcher", "set_permissions", "outwork."]);
}

#[test]
fn a_queue_with_other_settings_is_refused_and_explained() {
    let farm = Farm::new();
    let options = ConnectOptions::new(farm.space.url()).unwrap();
    let pool = ThreadPool::builder().registry(Registry::new()).workers(1).build().unwrap();
    let pool: Arc<dyn Executor> = Arc::new(pool);
    let queue = QueueName::new(&farm.queue).unwrap();
    let classic = AmqpWorker::builder(options, pool).queue(queue).queue_kind(QueueKind::Classic);
    let _classic = block_on(classic.start()).unwrap();
    let args = ["worker", "--queue", &farm.queue];
    must_end(&farm, &args, farm.space.url(), 4, &[&farm.queue, "with other settings"]);
}
