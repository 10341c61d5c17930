use std::process::Command;

use outwork_core::TaskErrorKind;

use super::*;

/// A process that ended by itself or by somebody's signal, while the kernel killed for want of
/// memory or not, and was killed by its pool or not.
fn death(script: &str, oom_kill: bool, killed: Option<Kill>) -> Death {
    let mut process = Command::new("/bin/sh").args(["-c", script]).spawn().unwrap();
    let pid = Pid::from_child(&process);
    Death { pid, status: process.wait().ok(), killed, oom_kill, stderr: String::new() }
}

fn is_told(death: &Death) -> bool {
    let error = death.of_task();
    let TaskErrorKind::WorkerLost(lost) = error.kind() else { panic!("{error:?}") };
    assert_eq!(lost.oom, death.words().contains("for want of memory"), "{error}");
    lost.oom
}

#[test]
fn want_of_memory_is_told_of_a_kill_by_nobody_that_we_know_while_the_kernel_did_such() {
    const KILL: &str = "kill -KILL $$";
    assert!(is_told(&death(KILL, true, None)));
    assert!(!is_told(&death(KILL, false, None)), "the kernel has killed nobody");
    assert!(!is_told(&death("kill -ABRT $$", true, None)), "it kills by another signal");
    assert!(!is_told(&death("exit 9", true, None)), "it exited");
    let limit = Kill::Memory { limit: 1, used: 2 };
    assert!(!is_told(&death(KILL, true, Some(limit))), "that was the pool");
}

#[test]
fn kills_are_counted_where_the_kernel_counts_them() {
    let events = "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n";
    assert_eq!(oom_kills_in(events), Some(2));
    assert_eq!(oom_kills_in("pgfault 1\noom_kill 7"), Some(7));
    assert_eq!(oom_kills_in("oom 3\n"), None);
    assert!(fs::read_to_string("/proc/vmstat").is_ok_and(|all| oom_kills_in(&all).is_some()));
}
