use std::{cell::RefCell, future::ready};

use super::*;
use crate::block_on::block_on;

const LOAD: Load = Load { tasks: 20, in_flight: 3 };

/// What a driver did: tasks started and finished in total, and the most that were in flight.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    started: usize,
    finished: usize,
    most: usize,
}

impl Seen {
    fn start(&mut self) -> usize {
        self.started += 1;
        self.most = self.most.max(self.started - self.finished);
        self.started
    }

    fn finish(&mut self, task: usize) {
        self.finished += 1;
        assert_eq!(task, self.finished, "the oldest task is waited for first");
    }
}

/// Two tasks of warm-up, then the load.
const EXPECTED: Seen = Seen { started: 22, finished: 22, most: 3 };

#[test]
fn a_full_window_waits_for_its_oldest_task() {
    let seen = RefCell::new(Seen::default());

    drive(LOAD, || seen.borrow_mut().start(), |task| seen.borrow_mut().finish(task));

    assert_eq!(seen.into_inner(), EXPECTED);
}

#[test]
fn the_async_window_does_the_same() {
    let seen = RefCell::new(Seen::default());

    block_on(drive_async(
        LOAD,
        || ready(seen.borrow_mut().start()),
        |task| seen.borrow_mut().finish(task),
    ));

    assert_eq!(seen.into_inner(), EXPECTED);
}

#[test]
fn calls_are_polled_as_they_end() {
    let seen = RefCell::new(Seen::default());

    block_on(drive_calls(
        LOAD,
        || ready(seen.borrow_mut().start()),
        |_| seen.borrow_mut().finished += 1,
    ));

    assert_eq!(seen.into_inner(), EXPECTED);
}
