use serde_json::Value;

use crate::{
    farm::{Farm, drained},
    support::wait_until,
};

#[test]
fn a_result_is_found_after_its_submitter_is_gone() {
    let farm = Farm::new();
    let worker = farm.worker(&["--demo-tasks", "--name", "daisy"]);
    let id = farm.submit(&["demo.echo", r#"{"a":1}"#]);
    let ran = farm.run(&["result", &id, "--wait", "30s"]);
    assert_eq!((ran.stdout.as_str(), ran.code), ("{\"a\":1}\n", 0), "{}", ran.stderr);
    drained(worker);
    // It is kept, whoever asks and however often.
    assert_eq!(farm.run(&["result", &id, "--json"]).stdout, "{\"ok\":{\"a\":1}}\n");
    let status: Value = serde_json::from_str(&farm.run(&["status", &id, "--json"]).stdout).unwrap();
    assert_eq!((&status["state"], &status["worker"]), (&"succeeded".into(), &"daisy".into()));
    let text = farm.run(&["status", &id]).stdout;
    assert!(text.contains("state      succeeded") && text.contains(&id), "{text}");
}

#[test]
fn a_job_is_seen_to_wait_to_run_and_to_end() {
    let farm = Farm::new();
    drained(farm.worker(&[]));
    let id = farm.submit(&["demo.sleep", "2"]);
    assert_eq!(farm.state(&id), "pending");
    let ran = farm.run(&["result", &id]);
    assert_eq!((ran.code, ran.stdout.as_str()), (5, ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("pending"), "{}", ran.stderr);
    assert_eq!(farm.run(&["result", &id, "--wait", "100ms"]).code, 5);
    let _worker = farm.worker(&["--demo-tasks"]);
    wait_until("it runs", || farm.state(&id) == "running");
    wait_until("it has ended", || farm.state(&id) == "succeeded");
}

#[test]
fn a_failed_job_keeps_its_error_and_its_output() {
    let farm = Farm::new();
    let _worker = farm.worker(&["--demo-tasks", "--allow-exec", "ls"]);
    let id = farm.submit(&["demo.fail", r#""boom""#]);
    let ran = farm.run(&["result", &id, "--wait", "30s", "--json"]);
    let result: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&result["error"]["message"], ran.code), (&"boom".into(), 1));
    let id = farm.submit(&["outwork.exec", r#"{"program":"ls","args":["/no/such/thing"]}"#]);
    let ran = farm.run(&["result", &id, "--wait", "30s"]);
    assert!(ran.code == 1 && ran.stderr.contains("/no/such/thing"), "{}", ran.stderr);
}

#[test]
fn a_retried_and_a_delayed_job_are_run_as_often_and_as_late_as_was_asked() {
    let farm = Farm::new();
    let _worker = farm.worker(&["--demo-tasks"]);
    let failing = farm.submit(&["demo.fail", r#""no""#, "--retries", "2"]);
    let start = std::time::Instant::now();
    let delayed = farm.submit(&["demo.echo", "1", "--delay", "2s"]);
    assert_eq!(farm.run(&["result", &delayed, "--wait", "30s"]).code, 0);
    assert!(start.elapsed().as_secs_f64() > 1.9, "{:?}", start.elapsed());
    farm.run(&["result", &failing, "--wait", "30s"]);
    let status: Value =
        serde_json::from_str(&farm.run(&["status", &failing, "--json"]).stdout).unwrap();
    assert_eq!(status["attempt"], 3);
    let limited = farm.submit(&["demo.sleep", "300", "--time-limit", "200ms"]);
    farm.run(&["result", &limited, "--wait", "30s"]);
    assert_eq!(farm.state(&limited), "timed_out");
}

#[test]
fn an_id_that_nobody_has_submitted_is_told() {
    let farm = Farm::new();
    drained(farm.worker(&[]));
    let id = outwork_core::TaskId::new().to_string();
    for verb in ["result", "status"] {
        let ran = farm.run(&[verb, &id]);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
        assert!(ran.stderr.contains(&id), "{}", ran.stderr);
    }
}

#[test]
fn a_worker_answers_a_ping_and_nobody_is_told_of_by_69() {
    let farm = Farm::new();
    let missing = farm.run_at_queue(&["ping"]);
    assert_eq!(missing.code, 4, "{}", missing.stderr);
    let worker = farm.worker(&["--name", "daisy"]);
    let ran = farm.run_at_queue(&["ping"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.starts_with("daisy  "), "{}", ran.stdout);
    drained(worker);
    let ran = farm.run_at_queue(&["ping", "--timeout", "1s"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (69, ""), "{}", ran.stderr);
    assert_eq!(farm.run_at_queue(&["ping", "--wait", "--timeout", "1s"]).code, 5);
    let waiting = farm.start_at_queue(&["ping", "--wait", "--timeout", "30s"]);
    let _worker = farm.worker(&["--name", "daisy"]);
    assert_eq!(waiting.ended().code, 0);
}
