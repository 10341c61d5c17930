//! Every deadline that is not taken back runs once, and the thread leaves with the last handle.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use shuttle::{
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use super::check;
use crate::{Clock, Timer};

const SECOND: Duration = Duration::from_secs(1);

/// A timer by a clock that the model moves.
fn timer() -> (Clock, Timer, Instant) {
    let clock = Clock::manual();
    (clock.clone(), Timer::new(clock.clone()), clock.now())
}

/// Whoever sets the nearer deadline meets a thread that starts, runs the other one, or is about
/// to sleep until that.
#[test]
fn deadlines_that_are_set_at_once_all_run() {
    check(|| {
        let (clock, timer, start) = timer();
        let (ran, runs) = mpsc::channel();
        let setters = [2, 1].map(|seconds| {
            let (timer, ran) = (timer.clone(), ran.clone());
            thread::spawn(move || {
                timer.at(start + SECOND * seconds, move || ran.send(seconds).unwrap());
            })
        });
        clock.advance(SECOND * 2);
        let mut seconds = [(); 2].map(|()| runs.recv().unwrap());
        seconds.sort_unstable();
        assert_eq!(seconds, [1, 2]);
        setters.into_iter().for_each(|setter| setter.join().unwrap());
    });
}

#[test]
fn a_deadline_that_was_passed_already_wakes_the_thread() {
    check(|| {
        let (_clock, timer, start) = timer();
        let (ran, runs) = mpsc::channel();
        timer.at(start + SECOND, || {});
        timer.at(start, move || ran.send(()).unwrap());
        runs.recv().unwrap();
    });
}

#[test]
fn a_deadline_is_taken_back_or_runs() {
    check(|| {
        let (clock, timer, start) = timer();
        let ran = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&ran);
        let key = timer.at(start + SECOND, move || {
            count.fetch_add(1, Ordering::SeqCst);
        });
        let mover = thread::spawn(move || clock.advance(SECOND));
        let taken_back = timer.cancel(key);
        mover.join().unwrap();
        // What is set now runs after what was due before.
        let (done, wait) = mpsc::channel();
        timer.at(start + SECOND, move || done.send(()).unwrap());
        wait.recv().unwrap();
        assert_eq!(ran.load(Ordering::SeqCst), usize::from(!taken_back));
    });
}

/// A thread that stays is one that sleeps for ever.
#[test]
fn the_thread_leaves_when_the_last_handle_goes() {
    check(|| {
        let (clock, timer, start) = timer();
        let other = timer.clone();
        let setter = thread::spawn(move || {
            other.at(start + SECOND, || {});
        });
        timer.at(start + SECOND * 2, || {});
        drop(timer);
        clock.advance(SECOND);
        setter.join().unwrap();
    });
}
