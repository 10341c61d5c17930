use std::{
    fs,
    process::{Command, Stdio},
    sync::Arc,
};

use outwork_test_broker::Broker;
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    farm::{Farm, drained, is_gone},
    screen::Terminal,
    support::{Running, wait_until},
};

/// A worker that has begun `sleep 300`, and the client that waits for it.
fn busy(farm: &Farm, args: &[&str]) -> (Running, Running) {
    let mut all = vec!["--allow-exec", "sleep", "--concurrency", "1"];
    all.extend(args);
    let worker = farm.worker(&all);
    let client = farm.start_remote(&["exec", "--no-input", "--", "sleep", "300"]);
    worker.said("started");
    (worker, client)
}

/// Each `sleep` that a worker runs. It says that a task has started before the program has.
fn programs_of(worker: &Running) -> Vec<Pid> {
    let parent = worker.pid().as_raw_nonzero().to_string();
    let running = || {
        let output = Command::new("pgrep").args(["-P", &parent, "-x", "sleep"]).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    wait_until("its program runs", || !running().is_empty());
    running().lines().map(|pid| Pid::from_raw(pid.parse().unwrap()).unwrap()).collect()
}

fn are_gone(programs: &[Pid]) -> bool {
    programs.iter().all(|pid| is_gone(*pid))
}

#[test]
fn the_first_signal_finishes_what_runs_and_takes_no_more() {
    let farm = Farm::new();
    let worker =
        farm.worker(&["--allow-exec", "sleep", "--concurrency", "1", "--ready-file", "ready"]);
    farm.place.wait_for("ready");
    assert_eq!(farm.place.read("ready").trim(), worker.pid().as_raw_nonzero().to_string());
    farm.place.write("lines", "1\n0\n");
    let client = farm.start_remote(&["exec", "-a", "lines", "--joblog", "log", "--", "sleep"]);
    worker.said("started");
    let ran = drained(worker);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(!farm.place.path("ready").exists());
    // What it did not begin is there for the next one.
    let _next = farm.worker(&["--allow-exec", "sleep"]);
    assert_eq!(client.ended().code, 0);
}

#[test]
fn work_that_is_cut_off_by_the_drain_timeout_is_run_by_another_worker_at_once() {
    let farm = Farm::new();
    let (worker, client) = busy(&farm, &["--drain-timeout", "1s"]);
    let programs = programs_of(&worker);
    let other = farm.worker(&["--allow-exec", "sleep", "--concurrency", "1"]);
    let ran = drained(worker);
    assert_eq!(ran.code, 6, "{}", ran.stderr);
    assert!(ran.stderr.contains("given back"), "{}", ran.stderr);
    other.said("started");
    assert!(programs.len() == 1 && are_gone(&programs), "{programs:?}");
    drop(client);
}

#[test]
fn the_second_signal_gives_back_what_runs() {
    let farm = Farm::new();
    let (worker, client) = busy(&farm, &[]);
    worker.signal(Signal::TERM);
    worker.said("once more gives it back");
    worker.signal(Signal::TERM);
    let ran = worker.ended();
    assert_eq!(ran.code, 6, "{}", ran.stderr);
    let other = farm.worker(&["--allow-exec", "sleep"]);
    other.said("started");
    drop(client);
}

#[test]
fn a_worker_that_cannot_tell_the_broker_leaves_all_the_same_and_loses_nothing() {
    let broker = Arc::new(Broker::private().unwrap());
    let farm = Farm::on(Arc::clone(&broker));
    let (worker, client) = busy(&farm, &["--drain-timeout", "1s"]);
    let programs = programs_of(&worker);
    broker.kill().unwrap();
    let ran = drained(worker);
    assert_eq!(ran.code, 6, "{}", ran.stderr);
    assert!(ran.stderr.contains("cannot be told"), "{}", ran.stderr);
    assert!(are_gone(&programs), "{programs:?}");
    broker.resume().unwrap();
    let other = farm.worker(&["--allow-exec", "sleep"]);
    other.said("started");
    drop(client);
}

#[test]
fn the_third_signal_kills_and_the_work_is_not_lost() {
    let farm = Farm::new();
    let (worker, client) = busy(&farm, &[]);
    let programs = programs_of(&worker);
    for said in ["once more gives it back", "once more kills"] {
        worker.signal(Signal::TERM);
        worker.said(said);
    }
    worker.signal(Signal::TERM);
    let ran = worker.ended();
    // It may have got there by itself before the third one came.
    assert!([-1, 6].contains(&ran.code), "{} {}", ran.code, ran.stderr);
    wait_until("its programs are gone", || are_gone(&programs));
    let other = farm.worker(&["--allow-exec", "sleep"]);
    other.said("started");
    drop(client);
}

#[test]
fn a_worker_that_quits_at_once_leaves_no_program_behind_and_loses_nothing() {
    let farm = Farm::new();
    let (worker, client) = busy(&farm, &[]);
    let programs = programs_of(&worker);
    worker.signal(Signal::QUIT);
    assert_eq!(worker.ended().code, -1);
    wait_until("its programs are gone", || are_gone(&programs));
    let other = farm.worker(&["--allow-exec", "sleep"]);
    other.said("started");
    drop(client);
}

#[test]
fn a_paused_worker_takes_no_tasks_until_it_is_resumed() {
    let farm = Farm::new();
    let worker = farm.worker(&["--demo-tasks"]);
    worker.signal(Signal::TSTP);
    worker.said("taking no more tasks");
    let mut waiting = String::new();
    // It may take one more while it hears of the pause.
    wait_until("a task is left alone", || {
        let id = farm.submit(&["demo.echo", "1"]);
        let is_left = farm.run(&["result", &id, "--wait", "1s"]).code == 5;
        if is_left {
            fs::write(farm.place.path("waiting"), &id).unwrap();
        }
        is_left
    });
    waiting.push_str(&farm.place.read("waiting"));
    worker.signal(Signal::CONT);
    let ran = farm.run(&["result", &waiting, "--wait", "30s"]);
    assert_eq!((ran.stdout.as_str(), ran.code), ("1\n", 0), "{}", ran.stderr);
    assert_eq!(drained(worker).code, 0);
}

#[test]
fn each_change_of_a_task_is_a_line_without_its_arguments() {
    let farm = Farm::new();
    let worker = farm.worker(&["--demo-tasks", "--allow-exec", "false"]);
    let secret = r#""hush-hush""#;
    let program = r#"{"program":"false","args":["hush-hush"]}"#;
    let tasks = [
        ("demo.echo", secret, "succeeded"),
        ("demo.fail", secret, "failed"),
        ("demo.sleep", secret, "undecodable"),
        ("demo.panic", secret, "panicked"),
        ("outwork.exec", program, "exited"),
    ];
    let ids = tasks.map(|(task, argument, _)| {
        let id = farm.submit(&[task, argument]);
        farm.run(&["result", &id, "--wait", "30s"]);
        id
    });
    let log = drained(worker).stderr;
    for ((task, _, word), id) in tasks.iter().zip(&ids) {
        let has = |what: &str| {
            let mut lines = log.lines().filter(|line| line.contains(id) && line.contains(what));
            lines.next().is_some_and(|line| line.contains(task))
        };
        assert!(has("started") && has("finished") && has(word), "{task}: {log}");
    }
    assert!(!log.contains("hush-hush"), "{log}");
}

#[test]
fn a_log_in_json_has_an_object_on_each_line() {
    let farm = Farm::new();
    let worker = farm.worker(&["--demo-tasks", "--json"]);
    let id = farm.submit(&["demo.echo", "1"]);
    farm.run(&["result", &id, "--wait", "30s"]);
    let log = drained(worker).stderr;
    let lines = log.lines().filter(|line| line.contains(&id));
    let lines: Vec<serde_json::Value> =
        lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    let states: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(states, ["started", "finished"]);
}

#[test]
fn a_person_at_a_terminal_sees_a_worker_come_and_go() {
    let farm = Farm::new();
    let (mut terminal, tty) = Terminal::open();
    let program = ["worker", "--queue", &farm.queue, "--allow-exec", "sh"];
    let mut command = farm.command(&[&program[..], &["--ready-file", "ready"]].concat());
    command.stdin(Stdio::null()).stdout(tty.try_clone().unwrap()).stderr(tty);
    let mut child = command.spawn().unwrap();
    drop(command);
    terminal.shows("it runs whatever it is told");
    terminal.shows("fetching tasks");
    farm.place.wait_for("ready");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    terminal.shows("SIGTERM: finishing what runs");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
