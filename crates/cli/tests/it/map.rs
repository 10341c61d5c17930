use std::{fmt::Write as _, io::Write as _};

use serde_json::{Value, json};

use crate::support::{Place, outwork, seq, spawn};

fn values(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn results_come_in_the_order_of_the_input() {
    for executor in ["inline", "threads", "loops:2", "background"] {
        let ran = outwork(["map", "demo.echo", "--executor", executor], seq(3000));
        let expected = (0..3000).fold(String::new(), |mut text, index| {
            writeln!(text, "{{\"index\":{index},\"ok\":{}}}", index + 1).unwrap();
            text
        });
        assert_eq!((ran.stderr.as_str(), ran.code), ("", 0));
        assert!(ran.stdout == expected, "{executor}");
    }
}

#[test]
fn results_come_in_order_also_when_the_first_is_the_slowest() {
    let input = format!("0.3\n{}", "0\n".repeat(500));
    let ran = outwork(["map", "demo.sleep", "--executor", "loops:2", "-j", "8"], &input);
    let indices: Vec<_> =
        values(&ran.stdout).iter().map(|v| v["index"].as_u64().unwrap()).collect();
    assert_eq!(indices, (0..=500).collect::<Vec<_>>());
}

#[test]
fn unordered_results_come_as_they_are_there() {
    let ran = outwork(["map", "demo.sleep", "--unordered", "--executor", "loops:2"], "0.5\n0\n");
    let indices: Vec<_> = values(&ran.stdout).iter().map(|v| v["index"].as_u64()).collect();
    assert_eq!(indices, [Some(1), Some(0)]);
}

#[test]
fn a_line_that_cannot_be_an_argument_is_an_error_with_its_number() {
    let ran = outwork(["map", "demo.sleep"], b"0\n\"x\"\n\n0 0\n\"\xff\"\n0" as &[u8]);
    assert_eq!(ran.code, 1);
    let values = values(&ran.stdout);
    assert_eq!(
        (&values[0], &values[5]),
        (&json!({"index":0,"ok":0.0}), &json!({"index":5,"ok":0.0}))
    );
    for (index, word) in [(1, "expected f64"), (2, "EOF"), (3, "trailing"), (4, "UTF-8")] {
        let error = &values[index]["error"];
        let message = error["message"].as_str().unwrap();
        assert_eq!(values[index]["index"], index);
        assert_eq!((&error["kind"], &error["line"]), (&"undecodable".into(), &(index + 1).into()));
        assert!(
            message.contains(word) && message.contains(&format!("line {}", index + 1)),
            "{message}"
        );
    }
    assert!(values[1]["error"]["message"].as_str().unwrap().contains("demo.sleep"));
}

#[test]
fn a_task_that_fails_is_an_error_with_its_kind() {
    let ran = outwork(["map", "demo.fail"], "\"one\"\n\"two\"\n");
    let error = |index, message, line| json!({ "index": index, "error": { "kind": "failed", "message": message, "line": line } });
    assert_eq!(values(&ran.stdout), [error(0, "one", 1), error(1, "two", 2)]);
    assert_eq!(ran.code, 1);
}

#[test]
fn memory_does_not_grow_with_the_input() {
    const LINES: usize = 300_000;
    let place = Place::new();
    let mut running = place.start(["map", "demo.echo", "--executor", "threads"]);
    let mut stdin = running.stdin.take().unwrap();
    let (done, keep_open) = std::sync::mpsc::channel::<()>();
    let feed = spawn(move || {
        stdin.write_all(seq(LINES).as_bytes()).unwrap();
        let _ = keep_open.recv();
    });
    let bytes: usize =
        (0..LINES).map(|index| format!("{{\"index\":{index},\"ok\":{}}}\n", index + 1).len()).sum();
    let output = running.wrote(bytes);
    let peak = running.peak_mib();
    drop(done);
    feed.join().unwrap();
    assert_eq!((output.len(), running.ended().code), (bytes, 0));
    assert!(peak < 64, "{peak} MiB");
}

#[test]
fn an_executor_with_less_room_than_is_asked_for_is_waited_for() {
    let place = Place::new();
    let tiny = "[executors.tiny]\nkind = 'thread-pool'\nsettings = { workers = 1, limit = 2 }";
    place.write("outwork.toml", tiny);
    let ran = place.run(["map", "demo.echo", "--executor", "tiny"], seq(500));
    assert_eq!((ran.stdout.lines().count(), ran.code), (500, 0));
}
