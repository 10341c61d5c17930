use std::{
    fs::{self, File},
    io::Write,
    os::unix::process::CommandExt,
};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::support::{Place, Running, lines, seq, wait_until};

/// Starts it as the job of a shell, in a group of its own.
fn job(place: &Place, args: &[&str]) -> (Running, Pid) {
    let mut command = std::process::Command::new("env");
    // Where the tests run SIGINT may be ignored, which would be inherited.
    command.args(["--default-signal=INT", env!("CARGO_BIN_EXE_outwork")]).args(args);
    command.current_dir(place.path("")).process_group(0);
    let running = Running::start(command);
    let group = running.pid();
    (running, group)
}

/// Whether every thread of the process is stopped, which is when a shell hears of it.
fn is_stopped(pid: Pid) -> bool {
    let threads = fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero())).unwrap();
    threads.flatten().all(|thread| state(&thread.path().join("stat")) == Some('T'))
}

fn state(stat: &std::path::Path) -> Option<char> {
    fs::read_to_string(stat).ok()?.rsplit(") ").next()?.chars().next()
}

fn state_of(pid: &str) -> Option<char> {
    state(format!("/proc/{}/stat", pid.trim()).as_ref())
}

#[test]
fn ctrl_z_stops_the_programs_too_and_fg_lets_them_go_on() {
    let place = Place::new();
    place.write("lines", "x\n");
    // It forks nothing that could be stopped before its `exec`, and so hold up the stop.
    let script = "mkfifo go; echo $$ > pid.new; mv pid.new pid; read word < go; echo $word";
    let (running, group) = job(&place, &["exec", "-a", "lines", "--", "sh", "-c", script]);
    place.wait_for("pid");
    let program = place.read("pid");
    kill_process_group(group, Signal::TSTP).unwrap();
    wait_until("outwork is stopped", || is_stopped(group));
    wait_until("its program is stopped", || state_of(&program) == Some('T'));
    // Open for both directions it waits for no reader.
    let mut go = File::options().read(true).write(true).open(place.path("go")).unwrap();
    go.write_all(b"end\n").unwrap();
    kill_process_group(group, Signal::CONT).unwrap();
    let ran = running.ended();
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str(), ran.code), ("end\n", "", 0));
}

#[test]
fn ctrl_z_stops_worker_processes_with_their_programs_and_fg_lets_them_go_on() {
    let place = Place::new();
    place.write("lines", "x\n");
    // This, too, forks nothing once it can be stopped.
    let script = "mkfifo go; echo $$ >program; echo $PPID >worker; mv worker now; \
                  read word < go; echo $word";
    let args = ["exec", "--executor", "processes:2", "-a", "lines", "--", "sh", "-c", script];
    let (running, group) = job(&place, &args);
    place.wait_for("now");
    let (program, worker) = (place.read("program"), place.read("now"));
    let all = [&program, &worker];
    assert_ne!(worker.trim(), group.as_raw_nonzero().to_string(), "it runs in a worker");
    for _ in 0..3 {
        kill_process_group(group, Signal::TSTP).unwrap();
        wait_until("all are stopped", || {
            is_stopped(group) && all.iter().all(|pid| state_of(pid) == Some('T'))
        });
        kill_process_group(group, Signal::CONT).unwrap();
        wait_until("all go on", || all.iter().all(|pid| state_of(pid) != Some('T')));
    }
    // Open for both directions it waits for no reader.
    let mut go = File::options().read(true).write(true).open(place.path("go")).unwrap();
    go.write_all(b"end\n").unwrap();
    let ran = running.ended();
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str(), ran.code), ("end\n", "", 0));
}

#[test]
fn ctrl_z_does_not_get_stuck_on_a_program_that_is_being_started() {
    let place = Place::new();
    place.write("lines", seq(1_000_000));
    let args = ["exec", "-a", "lines", "-j4", "--joblog", "log", "--", "true"];
    let (running, group) = job(&place, &args);
    let size = || place.path("log").metadata().map_or(0, |log| log.len());
    for round in 0..20 {
        let before = size();
        wait_until(&format!("it goes on, round {round}"), || size() > before + 2000);
        kill_process_group(group, Signal::TSTP).unwrap();
        wait_until(&format!("it stops, round {round}"), || is_stopped(group));
        kill_process_group(group, Signal::CONT).unwrap();
    }
    running.signal(Signal::TERM);
    assert_eq!(running.ended().stderr.lines().count(), 1, "nothing failed");
}

#[test]
fn ctrl_c_fails_no_run_that_had_not_begun() {
    for round in 0..8 {
        let place = Place::new();
        place.write("lines", seq(1_000_000));
        let args = ["exec", "-a", "lines", "-j4", "--joblog", "log", "--", "true"];
        let (running, group) = job(&place, &args);
        wait_until("it runs", || lines(&place.path("log")) > 20 + round);
        kill_process_group(group, Signal::INT).unwrap();
        let ran = running.ended();
        assert_eq!(ran.code, 130, "{}", ran.stderr);
        assert!(!ran.stderr.contains("killed"), "{}", ran.stderr);
        for line in place.read("log").lines().skip(1) {
            let ended: Vec<_> = line.split('\t').skip(6).take(2).collect();
            assert_eq!(ended, ["0", "0"], "{line}");
        }
    }
}
