use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::support::{Place, Ran, Running, lines, outwork, seq};

/// Says that it has started, and waits to be let go; or until its folder is gone with its test.
const WAITER: &str = "touch started.$0; \
    while [ ! -e go ]; do [ -e started.$0 ] || exit 9; sleep 0.01; done; echo done $0";

/// Does not end when it is asked to, but when its folder is gone with its test.
const STUBBORN: &str = "trap '' TERM; touch started.$0; \
    while [ -e started.$0 ]; do sleep 0.01; done";

fn start(place: &Place, script: &str) -> Running {
    place.write("lines", seq(9));
    let args = ["exec", "-a", "lines", "-j2", "--joblog", "log", "--", "sh", "-c", script];
    // Where the tests run these may be ignored, which would be inherited.
    let mut command = Command::new("env");
    command.arg("--default-signal=INT,QUIT").arg(env!("CARGO_BIN_EXE_outwork")).args(args);
    command.current_dir(place.path(""));
    let running = Running::start(command);
    place.wait_for("started.1");
    place.wait_for("started.2");
    running
}

#[test]
fn the_first_signal_finishes_what_runs() {
    let place = Place::new();
    let running = start(&place, WAITER);
    running.signal(Signal::INT);
    running.said("finishing what runs");
    place.write("go", "");
    let ran = running.ended();
    assert_eq!((ran.stdout.as_str(), ran.code), ("done 1\ndone 2\n", 130));
    assert!(!place.path("started.3").exists());
    assert_eq!(lines(&place.path("log")), 3, "a header and two runs");
}

#[test]
fn the_second_signal_cancels_what_runs() {
    let place = Place::new();
    let running = start(&place, WAITER);
    running.signal(Signal::TERM);
    running.said("finishing what runs");
    running.signal(Signal::TERM);
    let ran = running.ended();
    assert_eq!((ran.stdout.as_str(), ran.code), ("", 143));
    assert!(ran.stderr.contains("2 runs were cancelled"), "{}", ran.stderr);
    assert_eq!(lines(&place.path("log")), 1, "what was cancelled is to be run again");
}

#[test]
fn the_third_signal_kills() {
    let place = Place::new();
    let running = start(&place, STUBBORN);
    let begin = Instant::now();
    running.signal(Signal::TERM);
    running.said("finishing what runs");
    running.signal(Signal::TERM);
    running.said("cancelling what runs");
    running.signal(Signal::TERM);
    // -1: the signal itself ended it, as a shell would show by 143.
    assert!([143, -1].contains(&running.ended().code));
    assert!(begin.elapsed() < Duration::from_millis(1800), "it does not wait for the grace");
}

#[test]
fn ctrl_backslash_kills_at_once_and_leaves_nothing() {
    let place = Place::new();
    let script = STUBBORN.replace("touch started", "echo $$ >> pids; touch started");
    let running = start(&place, &script);
    running.signal_when_it_handles(Signal::QUIT);
    assert!([131, -1].contains(&running.ended().code));
    for pid in place.read("pids").lines() {
        let gone = || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ")
        };
        crate::support::wait_until("the program is gone", gone);
    }
}

#[test]
fn a_reader_that_goes_ends_the_run_quietly() {
    let place = Place::new();
    place.write("lines", seq(100_000));
    let mut command = place.command(["exec", "-a", "lines", "--joblog", "log", "--", "echo"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((first.as_str(), output.status.code()), ("1\n", Some(141)));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert!(lines(&place.path("log")) < 50_000);
}

#[test]
fn halting_now_stops_what_runs() {
    let place = Place::new();
    let script = "if [ $0 = 1 ]; then touch started; while [ -e started ]; do sleep 0.01; done; fi
        while [ ! -e started ]; do sleep 0.01; done; exit 1";
    let ran = place.run(
        ["exec", "-j2", "--halt", "now,fail=1", "--exit-count", "--", "sh", "-c", script],
        seq(50),
    );
    assert!(ran.stderr.contains("cancelled"), "{}", ran.stderr);
    assert!((1..=3).contains(&ran.code), "{}", ran.code);
}

#[test]
fn halting_soon_starts_nothing_more() {
    let place = Place::new();
    let script = "echo $0; echo >> ran; [ $0 -lt 3 ]";
    let ran =
        place.run(["exec", "-j1", "--halt", "soon,fail=2", "--", "sh", "-c", script], seq(50));
    assert_eq!((ran.stdout.as_str(), ran.code), ("1\n2\n3\n4\n", 1));
    assert_eq!(lines(&place.path("ran")), 4);
}

#[test]
fn a_time_limit_stops_a_run_and_no_other() {
    let ran = outwork(["exec", "--time-limit", "300ms", "-j2", "--", "sleep"], "60\n0\n");
    let stderr = "outwork: line 1: the time limit of 300ms passed\n";
    assert_eq!((ran.stderr.as_str(), ran.code), (stderr, 1));
}

#[test]
fn output_is_seen_while_the_input_is_open() {
    use std::io::Write;
    for args in [&["exec", "--", "echo"][..], &["map", "demo.echo"][..]] {
        let place = Place::new();
        let mut running = place.start(args);
        running.stdin.as_mut().unwrap().write_all(b"1\n").unwrap();
        assert!(String::from_utf8(running.wrote(2)).unwrap().contains('1'));
        assert_eq!(running.ended().code, 0);
    }
}

#[test]
fn a_signal_that_was_ignored_stays_so() {
    let place = Place::new();
    let mut command = Command::new("sh");
    let script = "trap '' INT; exec \"$0\" exec -- sh -c 'touch started; while [ ! -e go ]; do sleep 0.01; done'";
    command.args(["-c", script, env!("CARGO_BIN_EXE_outwork")]).current_dir(place.path(""));
    let mut running = Running::start(command);
    std::io::Write::write_all(running.stdin.as_mut().unwrap(), b"1\n").unwrap();
    place.wait_for("started");
    running.signal(Signal::INT);
    place.write("go", "");
    assert_eq!(running.ended(), Ran { stdout: String::new(), stderr: String::new(), code: 0 });
}

#[test]
fn the_second_signal_cancels_the_tasks_of_a_map() {
    use std::io::Write;
    let place = Place::new();
    let mut running = place.start(["map", "demo.sleep", "--executor", "loops:1"]);
    // Once the result is there, the handlers are as well and the long ones have started.
    running.stdin.as_mut().unwrap().write_all(b"900\n900\n0\n").unwrap();
    running.signal_when_it_handles(Signal::TERM);
    running.said("finishing what runs");
    running.signal(Signal::TERM);
    let ran = running.ended();
    assert_eq!(ran.code, 143);
    for line in ran.stdout.lines().filter(|line| !line.contains("ok")) {
        assert!(line.contains(r#""kind":"cancelled""#), "{line}");
    }
}

#[test]
fn a_disk_that_is_full_is_told() {
    let place = Place::new();
    for args in
        [&["exec", "--no-input", "--", "echo"][..], &["run", "demo.echo"][..], &["tasks"][..]]
    {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = place.command(args).stdout(full).stderr(Stdio::piped()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains("cannot write to standard output"), "{args:?}: {stderr}");
        assert_eq!(output.status.code(), Some(1), "{args:?}");
    }
}

#[test]
fn a_worker_that_is_stopped_before_it_was_ready_says_so() {
    // It takes connections, and never says a word on them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("amqp://{}", silent.local_addr().unwrap());
    let running = Place::new().start(["worker", "--url", &url]);
    running.signal_when_it_handles(Signal::TERM);
    let ran = running.ended();
    assert_eq!((ran.stdout.as_str(), ran.code), ("", 0), "{}", ran.stderr);
    assert!(ran.stderr.contains("SIGTERM: stopping before it was ready"), "{}", ran.stderr);
}
