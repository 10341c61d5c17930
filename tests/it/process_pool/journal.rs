//! What a worker has not sent when it dies is not lost.

use std::fs;

use outwork_core::{Executor, Shutdown, State};

use super::{lost, pool};
use crate::support::{
    LATER, outcome, stop, submit,
    tasks::{DIE_IF, HOLD, LOG},
    wait_until,
};

/// How many short bodies end just before their worker dies, and how many wait behind.
const BEFORE: u32 = 5;
const BEHIND: u32 = 5;

#[test]
fn the_results_of_bodies_that_ended_just_before_their_worker_died_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (log, release) = (folder.path().join("log"), folder.path().join("release"));
    let pool = pool(1);
    let line = |number| submit(&pool, LOG.task(&(log.clone(), number)).unwrap());
    // Both are known to be short, so that many are sent at once and none is announced.
    for number in 0..50 {
        assert!(outcome(submit(&pool, DIE_IF.task(&false).unwrap())).is_success());
        assert!(outcome(line(1000 + number)).is_success());
    }
    // All of them come to the worker together, which then answers when it is through.
    let hold = submit(&pool, HOLD.task(&release).unwrap());
    wait_until("the worker is busy", || hold.state() == State::Running);
    let before: Vec<_> = (0..BEFORE).map(line).collect();
    let dies = submit(&pool, DIE_IF.task(&true).unwrap());
    let behind: Vec<_> = (BEFORE..BEFORE + BEHIND).map(line).collect();
    fs::write(release, "").unwrap();
    assert!(outcome(hold).is_success());
    for handle in before {
        let ended = outcome(handle);
        assert!(ended.is_success(), "its result was said before: {ended:?}");
    }
    assert_eq!(lost(&outcome(dies)).signal, Some(9));
    for handle in behind {
        assert!(outcome(handle).is_success());
    }
    let log = fs::read_to_string(log).unwrap();
    let mut ran: Vec<u32> = log.lines().map(|line| line.parse().unwrap()).collect();
    ran.retain(|number| *number < 1000);
    ran.sort_unstable();
    assert_eq!(ran, (0..BEFORE + BEHIND).collect::<Vec<_>>(), "each has run once");
    assert_eq!(pool.status().counts.lost, 1);
    stop(&pool, Shutdown::drain(LATER));
}
