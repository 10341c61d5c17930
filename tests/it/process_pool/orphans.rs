//! Nothing is left behind, and nothing dies too early.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use outwork_core::{Executor, ExecutorExt, Shutdown};

use super::{child, pool};
use crate::support::{
    LATER, ms, stop, submit, takes_less_than,
    tasks::{PID, TREE},
    wait_until,
};

/// The processes below one, also those that have left it for another parent, by their session:
/// none of these tests starts a new one.
pub fn below(pid: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = processes().map(|(pid, parent, _)| (pid, parent)).collect();
    let mut found = vec![pid];
    let mut place = 0;
    while place < found.len() {
        let parent = found[place];
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        place += 1;
    }
    found.split_off(1)
}

/// All processes with their parents, and whether they are more than a zombie.
fn processes() -> impl Iterator<Item = (u32, u32, bool)> {
    fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut words = stat.rsplit_once(") ")?.1.split(' ');
        let lives = !matches!(words.next()?, "Z" | "X");
        Some((pid, words.next()?.parse().ok()?, lives))
    })
}

fn alive(pids: &[u32]) -> usize {
    processes().filter(|(pid, _, lives)| *lives && pids.contains(pid)).count()
}

fn beats_of(file: &Path) -> usize {
    fs::read(file).map_or(0, |beats| beats.len())
}

/// Kills a process by SIGKILL and measures how long what is below it stays.
fn kill_and_wait(mut caller: std::process::Child, at_least: usize) -> Duration {
    let all = below(caller.id());
    assert!(all.len() >= at_least, "{all:?}");
    caller.kill().unwrap();
    caller.wait().unwrap();
    let start = Instant::now();
    wait_until("all of them are gone", || alive(&all) == 0);
    start.elapsed()
}

/// Workers and programs are gone within 100 ms of the caller's SIGKILL.
pub fn nothing_outlives_the_caller() {
    takes_less_than(ms(100), "the end of all that was below", || {
        let folder = tempfile::tempdir().unwrap();
        let (beats, program) = (folder.path().join("beats"), folder.path().join("program"));
        let caller = Command::new(child())
            .arg("processes")
            .args([&beats, &program])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        wait_until("both tasks beat", || beats_of(&beats) > 3 && beats_of(&program) > 3);
        // Two workers and the shell of the program.
        kill_and_wait(caller, 3)
    });
}

#[test]
fn a_deep_tree_below_a_worker_goes_with_its_task() {
    let folder = tempfile::tempdir().unwrap();
    let beats = folder.path().join("beats");
    let pool = pool(1);
    let handle = submit(&pool, TREE.task(&(30, beats.clone())).unwrap());
    wait_until("the deepest one beats", || beats_of(&beats) > 3);
    let worker = below(std::process::id());
    handle.cancel();
    wait_until("the task has ended", || handle.state().is_final());
    let last = beats_of(&beats);
    thread::sleep(ms(50));
    assert_eq!(beats_of(&beats), last, "{worker:?}");
    stop(&pool, Shutdown::drain(LATER));
}

#[test]
fn a_deep_tree_is_gone_within_100_ms_of_the_callers_sigkill() {
    takes_less_than(ms(100), "the end of the whole tree", || {
        let folder = tempfile::tempdir().unwrap();
        let beats = folder.path().join("beats");
        let caller = Command::new(child())
            .arg("tree")
            .args([&beats, &beats])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        wait_until("the deepest one beats", || beats_of(&beats) > 3);
        kill_and_wait(caller, 30)
    });
}

#[test]
fn workers_live_on_when_the_thread_that_built_their_pool_ends() {
    let pool = thread::Builder::new()
        .name("builds".to_owned())
        .spawn(|| {
            let pool = pool(1);
            let worker = pool.blocking_call(PID, &()).unwrap();
            (pool, worker)
        })
        .unwrap();
    let (pool, worker) = pool.join().unwrap();
    // It would have been killed by now.
    thread::sleep(ms(50));
    assert_eq!(pool.blocking_call(PID, &()).unwrap(), worker);
    assert_eq!(alive(&[worker]), 1);
    stop(&pool, Shutdown::drain(LATER));
    assert_eq!(alive(&[worker]), 0, "a pool that has stopped has no workers");
    assert_eq!(pool.status().workers, 0);
}

#[test]
fn a_worker_is_no_zombie_once_its_pool_has_stopped() {
    let pool = pool(3);
    let workers: Vec<u32> = (0..3).map(|_| pool.blocking_call(PID, &()).unwrap()).collect();
    stop(&pool, Shutdown::abort(LATER));
    let left = processes().filter(|(pid, _, _)| workers.contains(pid)).count();
    assert_eq!(left, 0);
}
