use std::{fs, process::Command};

use rustix::process::Signal;

use crate::support::{Place, Ran, Running, seq, wait_until};

/// More than the spool keeps in memory, in as many runs.
const RUNS: usize = 3000;
const OUTPUT: usize = 40_000;

#[test]
fn memory_is_bounded_and_the_order_holds_when_the_first_run_takes_longest() {
    let place = Place::new();
    place.write("lines", seq(RUNS));
    // The first ends after the last; each writes its number with many zeros before it.
    let script = format!(
        "[ $0 = {RUNS} ] && touch last
        while [ $0 = 1 ] && [ ! -e last ]; do sleep 0.01; done
        printf %0{OUTPUT}d $0"
    );
    // One more line never comes, so that it can be asked for its memory before it has ended.
    let mut running = place.start(["exec", "-j2", "--", "sh", "-c", &script]);
    let mut stdin = running.stdin.take().unwrap();
    let (done, keep_open) = std::sync::mpsc::channel::<()>();
    let lines = seq(RUNS);
    let feed = crate::support::spawn(move || {
        std::io::Write::write_all(&mut stdin, lines.as_bytes()).unwrap();
        let _ = keep_open.recv();
    });
    let output = running.wrote(RUNS * OUTPUT);
    let peak = running.peak_mib();
    drop(done);
    feed.join().unwrap();
    assert_eq!(running.ended(), Ran { stdout: String::new(), stderr: String::new(), code: 0 });
    for (index, run) in output.chunks(OUTPUT).enumerate() {
        let number: usize = std::str::from_utf8(run).unwrap().parse().unwrap();
        assert_eq!(number, index + 1);
    }
    let written = (RUNS * OUTPUT) >> 20;
    assert!(peak < 96 && written > 110, "{peak} MiB for {written} MiB of output");
}

#[test]
fn ten_mebibytes_that_are_no_text_come_whole_on_both_streams() {
    let place = Place::new();
    let noise = |seed: u32| -> Vec<u8> {
        (0..10 << 20)
            .map(|n: u32| (n.wrapping_add(seed).wrapping_mul(2_654_435_769) >> 24) as u8)
            .collect()
    };
    let (out, err) = (noise(0), noise(77));
    place.write("out", &out);
    place.write("err", &err);
    let script = "cat out & cat err >&2; wait";
    let ran = place.command(["exec", "--no-input", "--", "sh", "-c", script]).output().unwrap();
    assert!(ran.stdout == out && ran.stderr == err);
    assert!(str::from_utf8(&out).is_err() && out != err);
}

/// Runs it under limits of open files.
fn limited(place: &Place, ulimit: &str, args: &[&str], input: String) -> Ran {
    let mut command = Command::new("sh");
    let script = format!("{ulimit} && exec \"$0\" \"$@\"");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_outwork")]).args(args);
    command.current_dir(place.path(""));
    let mut running = Running::start(command);
    let mut stdin = running.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, input.as_bytes()).unwrap();
    drop(stdin);
    running.ended()
}

/// Each waits until forty are there.
const MEET: &str = "touch here.$0
    while [ $(ls | grep -c '^here') -lt 40 ]; do sleep 0.1; done; echo $0";

#[test]
fn a_soft_limit_of_open_files_is_raised_as_far_as_the_runs_need_it() {
    let place = Place::new();
    let args = ["exec", "-j40", "--", "sh", "-c", MEET];
    let ran = limited(&place, "ulimit -Sn 128", &args, seq(40));
    assert_eq!(ran, Ran { stdout: seq(40), stderr: String::new(), code: 0 });
    let args = ["exec", "-j2", "--", "sh", "-c", "ulimit -Sn"];
    let ran = limited(&Place::new(), "ulimit -Sn 128", &args, "x\n".to_owned());
    assert_eq!(ran.stdout, "128\n", "programs inherit it");
}

#[test]
fn with_fewer_open_files_than_the_runs_need_fewer_run_at_once_and_all_run() {
    for executor in ["threads", "loops"] {
        let args =
            ["exec", "-j60", "--executor", executor, "--", "sh", "-c", "sleep 0.01; echo $0"];
        let ran = limited(&Place::new(), "ulimit -n 128", &args, seq(100));
        assert_eq!((ran.stdout, ran.code), (seq(100), 0), "{}", ran.stderr);
        assert!(ran.stderr.starts_with("outwork: 60 runs at once need up to 784 open files"));
    }
}

#[test]
fn a_run_for_which_there_are_no_descriptors_says_so() {
    // Each of the threads that were asked for takes some for itself.
    let args = ["exec", "--executor", "threads:100", "--", "true"];
    let ran = limited(&Place::new(), "ulimit -n 80", &args, seq(300));
    for line in ran.stderr.lines().filter(|line| line.contains("line ")) {
        assert!(line.contains("Too many open files"), "{line}");
    }
}

#[test]
fn a_cancelled_run_leaves_no_grandchild() {
    let place = Place::new();
    place.write("lines", "x\n");
    // Nobody heeds the first signal: not the program, nor its child, nor that one's child.
    let script = "trap '' TERM
        sh -c 'sh -c \"echo \\$\\$ >> pids; sleep 1000; :\" & echo $$ >> pids; sleep 1000; :' &
        echo $$ >> pids; wait; sleep 1000; :";
    let running = place.start(["exec", "-a", "lines", "--", "sh", "-c", script]);
    wait_until("all three run", || {
        fs::read_to_string(place.path("pids")).is_ok_and(|pids| pids.lines().count() == 3)
    });
    running.signal_when_it_handles(Signal::TERM);
    running.said("finishing what runs");
    running.signal(Signal::TERM);
    assert_eq!(running.ended().code, 143);
    for pid in place.read("pids").lines() {
        // A zombie runs no more: who adopted it takes its time.
        wait_until(&format!("process {pid} is gone"), || {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ")
        });
    }
}
