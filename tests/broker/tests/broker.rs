//! The brokers of the tests, and that nothing is left of them.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests as well")]

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use outwork_test_broker::Broker;

/// Set for the process that is killed with its broker running.
const VICTIM: &str = "OUTWORK_TEST_BROKER_VICTIM";

fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether anything of a broker is there: its container, or its folder and processes in that.
fn is_left(trace: &str) -> bool {
    if Path::new(trace).is_absolute() {
        return Path::new(trace).exists() || processes_in(trace) > 0;
    }
    let mut inspect = Command::new("docker");
    inspect.args(["container", "inspect", trace]).stdout(Stdio::null()).stderr(Stdio::null());
    inspect.status().unwrap().success()
}

/// Processes whose arguments or environment name the folder.
fn processes_in(folder: &str) -> usize {
    let named = |pid: &Path, file| {
        let bytes = fs::read(pid.join(file)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).contains(folder)
    };
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
    pids.filter(|pid| named(pid, "cmdline") || named(pid, "environ")).count()
}

/// Whether the broker says anything to a client.
fn answers(broker: &Broker) -> bool {
    let (host, port) = broker.address();
    let Ok(mut stream) = TcpStream::connect((host.as_str(), port)) else { return false };
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    stream.write_all(b"AMQP\0\0\x09\x01").is_ok() && stream.read_exact(&mut [0]).is_ok()
}

#[test]
fn a_private_broker_survives_its_death_and_leaves_nothing_behind() {
    let broker = Broker::private().unwrap();
    let (space, trace) = (broker.space().unwrap(), broker.trace().unwrap());
    let address = broker.address();
    broker.kill().unwrap();
    assert!(!answers(&broker));
    broker.resume().unwrap();
    assert!(answers(&broker));
    assert_eq!(broker.address(), address);
    assert!(broker.ctl(&["list_vhosts", "name"]).unwrap().contains(space.vhost()));
    assert!(is_left(&trace));
    drop(broker);
    until("nothing is left of it", || !is_left(&trace));
}

#[test]
fn a_frozen_broker_answers_nobody_until_it_is_thawed() {
    let broker = Broker::private().unwrap();
    broker.freeze().unwrap();
    assert!(!answers(&broker));
    broker.thaw().unwrap();
    until("it answers again", || answers(&broker));
}

#[test]
fn a_broker_is_gone_after_its_test_was_killed() {
    if let Some(report) = std::env::var_os(VICTIM) {
        let broker = Broker::private().unwrap();
        fs::write(&report, broker.trace().unwrap()).unwrap();
        std::thread::sleep(Duration::from_secs(120));
        return;
    }
    let report = tempfile::NamedTempFile::new().unwrap();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_broker_is_gone_after_its_test_was_killed"])
        .env(VICTIM, report.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let trace = || fs::read_to_string(report.path()).unwrap();
    until("the broker runs", || !trace().is_empty());
    assert!(is_left(&trace()));
    victim.kill().unwrap();
    victim.wait().unwrap();
    until("nothing is left of it", || !is_left(&trace()));
}
