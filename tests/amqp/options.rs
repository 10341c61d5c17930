//! Every setting, and what can be read of executors and workers: each would be missed.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use outwork_amqp::{AmqpExecutor, AmqpSettings, AmqpWorker, ConnectErrorKind, ConnectOptions};
use outwork_core::{
    AttachError, Capabilities, Executor, Rejection, StreamTarget, SubmitErrorKind, Task,
    TaskErrorKind, TaskOptions, blocking::block_on,
};
use outwork_test_broker::Broker;

use crate::{
    proxy::{Line, Proxy},
    support::{ECHO, PATIENCE, Place, SLEEP, STUBBORN, until},
};

/// A client and what stands between it and the broker.
fn client(
    place: &Place,
    set: impl FnOnce(ConnectOptions) -> ConnectOptions,
) -> (Proxy, AmqpExecutor) {
    let proxy = Proxy::before(Broker::shared().unwrap().address());
    let options = set(ConnectOptions::new(&proxy.url(place.space.url())).unwrap());
    let client = AmqpExecutor::builder(options).queue(place.queue.clone());
    let client = block_on(client.connect()).unwrap();
    (proxy, client)
}

#[test]
fn a_message_waits_as_long_for_its_confirmation_as_was_set() {
    let place = Place::new();
    let _worker = place.worker(1);
    let (proxy, client) = client(&place, |it| it.confirm_timeout(Duration::from_secs(1)));
    proxy.lines().iter().for_each(Line::die);
    let start = Instant::now();
    let refused = block_on(client.submit(ECHO.task(&"x".to_owned()).unwrap())).unwrap_err();
    assert_eq!(refused.kind(), SubmitErrorKind::Unconfirmed);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn it_is_tried_to_connect_as_often_as_the_pauses_say() {
    let place = Place::new();
    let _worker = place.worker(1);
    let pause = Duration::from_millis(20);
    let (proxy, _client) = client(&place, |it| it.backoff(pause, pause));
    proxy.close_door();
    proxy.lines().iter().for_each(Line::reset);
    // With pauses that grow as they usually do it would take minutes.
    until("it has tried often", || proxy.turned_away() >= 60);
}

#[test]
fn the_broker_shows_connections_by_their_names() {
    let place = Place::new();
    let _worker = place.worker(1);
    let (_proxy, _client) = client(&place, |it| it.name("daisy"));
    let shown = Broker::shared().unwrap().ctl(&["list_connections", "client_properties"]).unwrap();
    for name in ["daisy (publish)", "daisy (consume)"] {
        assert!(shown.contains(name), "{name} is missing: {shown}");
    }
}

#[test]
fn no_message_is_larger_than_was_set_in_either_direction() {
    let place = Place::new();
    let small = |options: ConnectOptions| options.max_payload(1000);
    let worker = AmqpWorker::builder(small(place.options()), Place::pool(1));
    let _worker = block_on(worker.queue(place.queue.clone()).start()).unwrap();
    let (_proxy, careful) = client(&place, small);
    let task = || ECHO.task(&"x".repeat(1000)).unwrap();
    let refused = block_on(careful.submit(task())).unwrap_err();
    assert_eq!(refused.kind(), SubmitErrorKind::TooLarge);
    // What may come here, and whose result may not go back.
    let mut handle = block_on(place.client().submit(task())).unwrap();
    let outcome = handle.wait_timeout(PATIENCE).unwrap();
    let kind = outcome.error().map(|error| error.kind().clone());
    assert_eq!(kind, Some(TaskErrorKind::OutputTooLarge { limit: 1000 }));
}

#[test]
fn an_executor_is_as_it_was_built() {
    let place = Place::new();
    let worker = place.worker(1);
    let mut settings = AmqpSettings::default();
    settings.name = Some("farm".to_owned());
    let mut workers = Capabilities::IN_PROCESS;
    workers.priorities = true;
    let builder = AmqpExecutor::builder(place.options()).settings(settings);
    let builder = builder.queue(place.queue.clone()).limit(1).retain(0).workers(workers);
    let client = block_on(builder.connect()).unwrap();
    assert_eq!((client.name(), client.capabilities()), ("farm", workers));
    let running = block_on(client.submit(SLEEP.task(&300).unwrap())).unwrap();
    until("it runs", || worker.status().running == 1);
    let refused = client.try_submit(SLEEP.task(&1).unwrap()).unwrap_err();
    assert_eq!(refused.kind(), SubmitErrorKind::Full);
    let job = running.job_handle();
    assert_eq!(job.executor(), "farm");
    assert!({ running }.wait_timeout(PATIENCE).unwrap().is_success());
    let gone = block_on(client.attach(&job)).unwrap_err();
    assert!(matches!(gone, AttachError::NotFound(_)), "{gone}");
    let refused = block_on(AmqpExecutor::builder(place.options()).limit(0).connect());
    assert_eq!(refused.unwrap_err().kind(), ConnectErrorKind::InvalidSetting);
}

#[test]
fn a_worker_is_known_by_its_name_and_tells_whether_it_fetches() {
    let place = Place::new();
    let worker = place.worker_builder(Place::pool(1)).name("daisy");
    let worker = block_on(worker.start()).unwrap();
    let client = place.client();
    let answers = block_on(client.ping(PATIENCE)).unwrap();
    let [answer] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!((answer.name.as_str(), worker.name()), ("daisy", "daisy"));
    assert_eq!(answer.instance, worker.instance());
    assert!(answer.after < PATIENCE);
    let status = worker.status();
    assert!(status.connected && status.fetching && !status.blocked, "{status:?}");
    worker.pause();
    assert!(!worker.status().fetching);
    worker.resume();
    assert!(worker.status().fetching);
}

#[test]
fn a_body_that_does_not_stop_is_given_up_by_the_drain_and_told_of() {
    let place = Place::new();
    let worker = place.worker(1);
    let client = place.client();
    let handle = block_on(client.submit(STUBBORN.task(&10_000).unwrap())).unwrap();
    until("it runs", || worker.status().running == 1);
    let report = block_on(worker.drain(Duration::from_millis(100)));
    assert_eq!((report.abandoned, report.given_back, report.interrupted), (1, 1, 1), "{report:?}");
    assert!(!worker.status().connected && !worker.status().fetching);
    handle.cancel();
}

/// Tasks that name files, each with the option that does.
fn with_files(folder: &Path) -> [(&'static str, Task); 3] {
    let target = |name| StreamTarget::file(folder.join(name));
    let options = [
        ("stdout", TaskOptions::new().stdout(target("out"))),
        ("stderr", TaskOptions::new().stderr(target("err"))),
        ("cache_dir", TaskOptions::new().cache_dir(folder.join("cache"))),
    ];
    options.map(|(name, options)| (name, ECHO.task(&"x".to_owned()).unwrap().with_options(options)))
}

fn is_empty(folder: &Path) -> bool {
    folder.read_dir().unwrap().next().is_none()
}

#[test]
fn files_do_not_travel_unless_both_sides_share_them() {
    let place = Place::new();
    let worker = place.worker(1);
    let folder = tempfile::tempdir().unwrap();
    let client = place.client();
    for (option, task) in with_files(folder.path()) {
        let refused = block_on(client.submit(task)).unwrap_err();
        assert_eq!(refused.kind(), SubmitErrorKind::InvalidOptions);
        assert!(refused.to_string().contains(option), "{refused}");
    }
    let sharing = AmqpExecutor::builder(place.options()).queue(place.queue.clone());
    let sharing = block_on(sharing.shares_files().connect()).unwrap();
    for (option, task) in with_files(folder.path()) {
        let outcome = block_on(sharing.submit(task)).unwrap().wait_timeout(PATIENCE).unwrap();
        let error = outcome.error().unwrap();
        assert_eq!(error.kind(), &TaskErrorKind::Rejected(Rejection::InvalidMessage));
        assert!(error.message().contains(option), "{error}");
    }
    until("each is with the dead letters", || worker.status().dead == 3);
    assert!(is_empty(folder.path()));
    block_on(worker.drain(PATIENCE));
    let _worker = block_on(place.worker_builder(Place::pool(1)).shares_files().start()).unwrap();
    let [(_, task), ..] = with_files(folder.path());
    let mut handle = block_on(sharing.submit(task)).unwrap();
    assert!(handle.wait_timeout(PATIENCE).unwrap().is_success());
    assert!(folder.path().join("out").exists());
}
