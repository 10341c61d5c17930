//! The fault matrix: workers that end in every way, at every moment, with much and with little
//! that they were sent.

mod cell;
mod left;
mod stage;
mod table;

use std::time::{Duration, Instant};

use self::{
    cell::play,
    left::Left,
    table::{Cell, When},
};
use crate::support::alone_for;

/// How long all cells of one moment may take on a busy machine.
const MATRIX: Duration = Duration::from_secs(300);

/// Plays all cells of one moment, one after the other, because each is held to what it leaves.
fn all(when: When) {
    // What a process starts once and keeps, such as its timer.
    play(&Cell::warm_up());
    let before = Left::behind();
    for cell in Cell::all(when) {
        let start = Instant::now();
        println!("{cell}");
        play(&cell);
        before.is_all_that_is_left();
        println!("    in {:?}", start.elapsed());
    }
}

#[test]
fn a_worker_that_dies_before_it_is_ready_loses_nothing() {
    fn test() {}
    alone_for(MATRIX, test, || all(When::Greeting));
}

#[test]
fn a_worker_that_dies_before_it_begins_loses_nothing() {
    fn test() {}
    alone_for(MATRIX, test, || all(When::Sent));
}

#[test]
fn a_worker_that_dies_in_a_body_loses_that_task_alone() {
    fn test() {}
    alone_for(MATRIX, test, || all(When::InBody));
}

#[test]
fn a_worker_that_dies_in_the_middle_of_a_result_loses_that_task_alone() {
    fn test() {}
    alone_for(MATRIX, test, || all(When::Answering));
}

#[test]
fn a_worker_that_dies_while_it_is_idle_loses_nothing() {
    fn test() {}
    alone_for(MATRIX, test, || all(When::Idle));
}

#[test]
fn a_worker_that_dies_in_a_body_while_its_pool_drains_loses_that_task_alone() {
    fn test() {}
    alone_for(MATRIX, test, || all(When::Draining));
}

#[test]
fn a_worker_that_dies_instead_of_leaving_holds_nobody_up() {
    fn test() {}
    alone_for(MATRIX, test, || all(When::Leaving));
}
