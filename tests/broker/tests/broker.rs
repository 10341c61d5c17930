//! The brokers of the tests, and that nothing is left of them.

use std::{
    fs,
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

/// Processes whose arguments or environment name the folder.
fn processes_in(folder: &str) -> usize {
    let named = |pid: &Path, file| {
        let bytes = fs::read(pid.join(file)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).contains(folder)
    };
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
    pids.filter(|pid| named(pid, "cmdline") || named(pid, "environ")).count()
}

#[test]
fn a_private_node_survives_its_death_and_leaves_nothing_behind() {
    let broker = Broker::private().unwrap();
    let address = broker.address();
    let space = broker.space().unwrap();
    let node = broker.node().unwrap();
    node.kill().unwrap();
    assert!(TcpStream::connect(&address).is_err());
    node.resume().unwrap();
    assert!(broker.ctl(&["list_vhosts", "name"]).unwrap().contains(space.vhost()));
    let folder = format!("{node:?}").split('"').nth(3).unwrap().to_owned();
    assert!(processes_in(&folder) > 0 && Path::new(&folder).exists());
    drop(broker);
    until("its processes are gone", || processes_in(&folder) == 0);
    assert!(!Path::new(&folder).exists());
}

#[test]
fn a_broker_is_gone_after_its_test_was_killed() {
    if let Some(report) = std::env::var_os(VICTIM) {
        let broker = Broker::private().unwrap();
        let folder = format!("{:?}", broker.node().unwrap()).split('"').nth(3).unwrap().to_owned();
        fs::write(&report, folder).unwrap();
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
    let folder = || fs::read_to_string(report.path()).unwrap();
    until("the broker runs", || !folder().is_empty());
    victim.kill().unwrap();
    victim.wait().unwrap();
    until("its processes are gone", || processes_in(&folder()) == 0);
    until("its folder is gone", || !Path::new(&folder()).exists());
}
