use std::{path::Path, time::Duration};

use outwork_amqp::{AmqpExecutor, ConnectOptions, QueueName};
use outwork_core::{
    CommandReport, CommandSpec, Executor, State, Task, TaskDef, TaskOptions, blocking::block_on,
};
use rustix::process::Pid;

use crate::{
    farm::{Farm, drained, is_gone},
    support::{DEADLINE, Running, wait_until},
};

const EXEC: TaskDef<CommandSpec, CommandReport> = TaskDef::new("outwork.exec");

/// A worker that runs one program at a time, and has no other in hand.
fn worker(farm: &Farm) -> Running {
    farm.worker(&["--allow-exec", "sh", "--concurrency", "1", "--prefetch", "1"])
}

/// Starts a program of its own and waits for that for ever.
const PARENT: &str = "sleep 300 & echo $! > pid.new; mv pid.new pid; wait";

fn command(script: &str) -> String {
    serde_json::json!({ "program": "sh", "args": ["-c", script] }).to_string()
}

fn grandchild(farm: &Farm) -> Pid {
    farm.place.wait_for("pid");
    let pid = farm.place.read("pid").trim().parse().unwrap();
    std::fs::remove_file(farm.place.path("pid")).unwrap();
    Pid::from_raw(pid).unwrap()
}

#[track_caller]
fn cancel(farm: &Farm, id: &str) {
    let ran = farm.run_at_queue(&["cancel", id]);
    assert!(["confirmed\n", "requested\n"].contains(&ran.stdout.as_str()), "{ran:?}");
    assert_eq!(ran.code, 0, "{ran:?}");
}

/// Somebody who waits for the result is told, and so is somebody who asks.
#[track_caller]
fn must_be_cancelled(farm: &Farm, id: &str) {
    let ran = farm.run(&["result", id, "--wait", "30s", "--json"]);
    assert!(ran.stdout.contains("\"kind\":\"cancelled\""), "{ran:?}");
    assert_eq!((ran.code, farm.state(id).as_str()), (1, "cancelled"));
    let again = farm.run(&["cancel", id]);
    assert!(again.code == 1 && again.stderr.contains("ended already"), "{again:?}");
}

fn must_not_be_there(path: &Path) {
    assert!(!path.exists(), "{path:?} was made by a program that was cancelled");
}

#[test]
fn a_queued_a_delayed_and_a_running_program_are_cancelled_from_anywhere() {
    let farm = Farm::new();
    let worker = worker(&farm);
    let running = farm.submit(&["outwork.exec", &command(PARENT)]);
    let pid = grandchild(&farm);
    let queued = farm.submit(&["outwork.exec", &command("touch queued")]);
    let delayed = farm.submit(&["outwork.exec", &command("touch delayed"), "--delay", "3s"]);
    for id in [&queued, &delayed, &running] {
        cancel(&farm, id);
        must_be_cancelled(&farm, id);
    }
    wait_until("the grandchild is gone", || is_gone(pid));
    // Both come up all the same, and are put away.
    for id in [&queued, &delayed] {
        worker.said(&format!("finished task_id={id}"));
    }
    let last = farm.submit(&["outwork.exec", &command("true")]);
    assert_eq!(farm.run(&["result", &last, "--wait", "30s"]).code, 0);
    must_not_be_there(&farm.place.path("queued"));
    must_not_be_there(&farm.place.path("delayed"));
}

#[test]
fn what_was_cancelled_while_no_worker_was_there_never_starts() {
    let farm = Farm::new();
    drained(worker(&farm));
    let queued = farm.submit(&["outwork.exec", &command("touch queued")]);
    let delayed = farm.submit(&["outwork.exec", &command("touch delayed"), "--delay", "2s"]);
    for id in [&queued, &delayed] {
        cancel(&farm, id);
        must_be_cancelled(&farm, id);
    }
    let worker = worker(&farm);
    for id in [&queued, &delayed] {
        worker.said(&format!("finished task_id={id}"));
    }
    assert_eq!(drained(worker).code, 0);
    must_not_be_there(&farm.place.path("queued"));
    must_not_be_there(&farm.place.path("delayed"));
    assert_eq!(farm.state(&queued), "cancelled");
}

#[test]
fn a_program_that_another_worker_took_over_is_cancelled_there() {
    let farm = Farm::new();
    let first = farm.worker(&["--allow-exec", "sh", "--drain-timeout", "0"]);
    let id = farm.submit(&["outwork.exec", &command(PARENT)]);
    let one = grandchild(&farm);
    assert_eq!(drained(first).code, 6);
    wait_until("the first grandchild is gone", || is_gone(one));
    let _second = worker(&farm);
    let two = grandchild(&farm);
    cancel(&farm, &id);
    must_be_cancelled(&farm, &id);
    wait_until("the second grandchild is gone", || is_gone(two));
}

fn client(farm: &Farm) -> AmqpExecutor {
    let options = ConnectOptions::new(farm.space.url()).unwrap();
    let builder = AmqpExecutor::builder(options).queue(QueueName::new(&farm.queue).unwrap());
    block_on(builder.connect()).unwrap()
}

fn task(script: &str, delay: Option<Duration>) -> Task {
    let spec = CommandSpec::new("sh").unwrap().args(["-c", script]);
    let mut options = TaskOptions::new();
    options.delay = delay;
    EXEC.task(&spec).unwrap().with_options(options)
}

#[test]
fn the_handle_of_a_job_that_somebody_else_cancels_resolves() {
    let farm = Farm::new();
    let _worker = worker(&farm);
    let client = client(&farm);
    let submit = |task| {
        let job = block_on(client.submit_detached(task)).unwrap();
        block_on(client.attach(&job)).unwrap()
    };
    let running = submit(task(PARENT, None));
    let pid = grandchild(&farm);
    let queued = submit(task("touch queued", None));
    let delayed = submit(task("touch delayed", Some(Duration::from_secs(3600))));
    for mut handle in [queued, delayed, running] {
        cancel(&farm, &handle.task_id().to_string());
        let outcome = handle.wait_timeout(DEADLINE).expect("it resolves");
        assert_eq!(outcome.state(), State::Cancelled);
        assert_eq!(farm.state(&handle.task_id().to_string()), "cancelled");
    }
    wait_until("the grandchild is gone", || is_gone(pid));
    must_not_be_there(&farm.place.path("queued"));
}

#[test]
fn the_handle_of_a_task_that_somebody_else_cancels_resolves_at_once() {
    let farm = Farm::new();
    let _worker = worker(&farm);
    let client = client(&farm);
    let submit = |task| block_on(client.submit(task)).unwrap();
    let running = submit(task(PARENT, None));
    let pid = grandchild(&farm);
    let queued = submit(task("touch queued", None));
    let delayed = submit(task("touch delayed", Some(Duration::from_secs(3600))));
    // While one runs, the others do not come to their turn.
    for mut handle in [queued, delayed, running] {
        let id = handle.task_id().to_string();
        cancel(&farm, &id);
        let outcome = handle.wait_timeout(DEADLINE).expect("it resolves");
        assert_eq!(outcome.state(), State::Cancelled);
        assert_eq!(farm.state(&id), "cancelled");
    }
    wait_until("the grandchild is gone", || is_gone(pid));
    must_not_be_there(&farm.place.path("queued"));
    must_not_be_there(&farm.place.path("delayed"));
}
