//! Every flag of the verbs that talk to a broker: each would be missed.

use std::{sync::Arc, time::Instant};

use outwork_core::TaskId;
use outwork_test_broker::Broker;

use crate::{
    farm::{Farm, drained},
    support::{Ran, Running, lines, wait_until},
};

/// Runs a command with a broker that is not there in its environment.
fn lost(farm: &Farm, args: &[&str]) -> Ran {
    let mut command = farm.command(args);
    command.env("OUTWORK_URL", "amqp://127.0.0.1:1");
    Running::start(command).ended()
}

#[test]
fn every_verb_goes_to_the_broker_that_its_flags_name() {
    let farm = Farm::new();
    let id = TaskId::new().to_string();
    farm.place.write("nowhere", "amqp://127.0.0.1:1\n");
    farm.place.write("lines", "1\n");
    for args in [
        &["exec", "--executor", "amqp", "--no-input", "--", "true"][..],
        &["run", "--executor", "amqp", "demo.echo"],
        &["map", "--executor", "amqp", "demo.echo", "-a", "lines"],
        &["bench", "--executor", "amqp", "--tasks", "1"],
        &["worker"],
        &["submit", "demo.echo"],
        &["result", &id],
        &["status", &id],
        &["cancel", &id],
        &["ping"],
    ] {
        let (verb, rest) = args.split_first().unwrap();
        for flags in [["--url", "amqp://127.0.0.1:1"], ["--url-file", "nowhere"]] {
            let ran = farm.run(&[&[*verb], &flags[..], rest].concat());
            assert_eq!(ran.code, 3, "{verb} {flags:?}: {}", ran.stderr);
        }
    }
    // And where they are right, the environment is not asked.
    let _worker = farm.worker(&[]);
    farm.place.write("url", farm.space.url());
    let ran = lost(&farm, &["ping", "--queue", &farm.queue, "--url-file", "url"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let ran = lost(&farm, &["ping", "--queue", &farm.queue, "--url", farm.space.url()]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("the password in --url can be seen"), "{}", ran.stderr);
}

#[test]
fn every_verb_that_hands_over_asks_for_the_queue_that_it_is_told() {
    let farm = Farm::new();
    farm.place.write("lines", "1\n");
    for args in [
        &["exec", "--executor", "amqp", "--no-input", "--", "true"][..],
        &["run", "--executor", "amqp", "demo.echo"],
        &["map", "--executor", "amqp", "demo.echo", "-a", "lines"],
        &["bench", "--executor", "amqp", "--tasks", "1"],
        &["submit", "demo.echo"],
        &["ping"],
    ] {
        let (verb, rest) = args.split_first().unwrap();
        let ran = farm.run(&[&[*verb, "--queue", "mistyped"], rest].concat());
        assert!(ran.code == 4 && ran.stderr.contains("mistyped"), "{verb}: {}", ran.stderr);
    }
}

#[test]
fn a_worker_takes_from_all_of_its_queues() {
    let farm = Farm::new();
    let other = format!("{}.other", farm.queue);
    let _worker = farm.worker(&["--queue", &other, "--demo-tasks"]);
    for queue in [&farm.queue, &other] {
        let ran = farm.run(&["run", "--executor", "amqp", "--queue", queue, "demo.echo", "1"]);
        assert_eq!(ran.stdout, "1\n", "{}", ran.stderr);
    }
}

/// Waits until that many of them are there, and leaves.
const MEET: &str = "touch $1.here; while [ $(ls | grep -c here) -lt $0 ]; do sleep 0.05; done";

#[test]
fn a_worker_runs_as_many_at_once_as_it_is_told() {
    let farm = Farm::new();
    let many = (std::thread::available_parallelism().unwrap().get() + 2).to_string();
    farm.place.write(
        "lines",
        (0..many.parse().unwrap()).map(|n: u32| format!("{n}\n")).collect::<String>(),
    );
    let _worker = farm.worker(&["--allow-exec", "sh", "--concurrency", &many]);
    let meet = ["exec", "-a", "lines", "--time-limit", "20s", "--", "sh", "-c", MEET, &many];
    let ran = farm.remote(&meet);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn a_worker_has_as_many_in_hand_as_it_is_told() {
    let farm = Farm::new();
    let worker = farm.worker(&["--allow-exec", "sleep", "--concurrency", "1", "--prefetch", "3"]);
    let program = r#"{"program":"sleep","args":["300"]}"#;
    (0..5).for_each(|_| drop(farm.submit(&["outwork.exec", program])));
    wait_until("three of five are in hand", || messages(&farm) == [2, 3]);
    drop(worker);
}

/// How many messages of the queue wait, and how many are in hand.
fn messages(farm: &Farm) -> Vec<u32> {
    let broker = Broker::shared().unwrap();
    let columns = ["name", "messages_ready", "messages_unacknowledged"];
    let args = ["list_queues", "--silent", "--vhost", farm.space.vhost()];
    let table = broker.ctl(&[&args[..], &columns].concat()).unwrap();
    let queue = format!("outwork.q.{}\t", farm.queue);
    let row = table.lines().find_map(|line| line.strip_prefix(&queue)).unwrap();
    row.split('\t').map(|number| number.parse().unwrap()).collect()
}

#[test]
fn map_has_4096_on_their_way_or_as_many_as_it_is_told() {
    let farm = Farm::new();
    // It makes the queue. What was never measured goes alone, a message a task.
    assert_eq!(drained(farm.worker(&[])).code, 0);
    farm.place.write("lines", "1\n".repeat(5000));
    let map = ["map", "demo.echo", "-a", "lines"];
    for (flags, expected) in [(&["-j", "7"][..], 7), (&[], 7 + 4096)] {
        let running = farm.start_remote(&[&map[..], flags].concat());
        wait_until("they wait", || messages(&farm) == [expected, 0]);
        drop(running);
    }
}

#[test]
fn the_executor_of_a_worker_is_the_one_that_it_is_told() {
    let farm = Farm::new();
    let worker = farm.worker(&["--executor", "processes:1", "--demo-tasks"]);
    // On threads the worker itself would end.
    let ran = farm.remote(&["run", "demo.abort"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert_eq!(farm.remote(&["run", "demo.echo", "1"]).stdout, "1\n");
    drop(worker);
}

#[test]
fn runs_on_workers_have_their_limits_their_retries_and_their_number() {
    let farm = Farm::new();
    let _worker =
        farm.worker(&["--allow-exec", "sh", "--allow-exec", "sleep", "--concurrency", "3"]);
    let start = Instant::now();
    let ran = farm.remote(&["exec", "--no-input", "--time-limit", "500ms", "--", "sleep", "300"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(start.elapsed().as_secs() < 60);
    let fail = ["--", "sh", "-c", "echo run >> runs; false"];
    let ran = farm.remote(&[&["exec", "--no-input", "--retries", "2"], &fail[..]].concat());
    assert_eq!((ran.code, lines(&farm.place.path("runs"))), (1, 3), "{}", ran.stderr);
    farm.place.write("lines", "1\n2\n3\n4\n5\n6\n");
    let alone = "mkdir lock && sleep 0.1 && rmdir lock";
    let ran = farm.remote(&["exec", "-a", "lines", "-j", "1", "--", "sh", "-c", alone]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let together = "[ -e one ] || touch one; sleep 0.3; mkdir lock && sleep 1 && rmdir lock";
    let ran = farm.remote(&["exec", "-a", "lines", "--", "sh", "-c", together]);
    assert_ne!(ran.code, 0, "without a number of its own it runs many at once");
}

#[test]
fn a_ping_waits_for_a_broker_that_starts() {
    let broker = Arc::new(Broker::private().unwrap());
    let farm = Farm::on(Arc::clone(&broker));
    let _worker = farm.worker(&[]);
    broker.kill().unwrap();
    let waiting = farm.start_at_queue(&["ping", "--wait", "--timeout", "120s"]);
    assert_eq!(farm.run_at_queue(&["ping"]).code, 3);
    broker.resume().unwrap();
    let ran = waiting.ended();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}
