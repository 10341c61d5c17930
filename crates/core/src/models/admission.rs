//! Nobody sleeps while there is room, and the room is never more than full.

use std::{future::Future, sync::Arc, task::Context};

use shuttle::{
    future::block_on,
    sync::{
        Barrier, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::check;
use crate::{Admission, NoRoom, Slot};

/// Counts who is in, beside the admission's own counters.
#[derive(Default)]
struct Inside {
    now: AtomicUsize,
}

impl Inside {
    /// Someone has a place for a while.
    fn visit(&self, limit: usize) {
        assert!(self.now.fetch_add(1, Ordering::SeqCst) < limit, "more are in than may be");
        self.now.fetch_sub(1, Ordering::SeqCst);
    }
}

fn threads(n: usize, run: impl Fn(usize) + Send + Sync + 'static) {
    let run = Arc::new(run);
    let threads: Vec<_> = (0..n)
        .map(|number| {
            let run = Arc::clone(&run);
            thread::spawn(move || run(number))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn who_waits_for_room_gets_it() {
    for limit in [1, 2] {
        check(move || {
            let (admission, inside) = (Admission::new(limit), Inside::default());
            let last = Arc::clone(&admission);
            threads(3, move |_| {
                for _ in 0..2 {
                    let slot = block_on(admission.acquire()).unwrap();
                    inside.visit(limit);
                    drop(slot);
                }
            });
            assert_eq!(last.in_flight(), 0);
        });
    }
}

/// Two threads have a place for each, so none of them may ever be told that there is none.
/// A count that was read before others had come and gone made it look so.
#[test]
fn nobody_is_refused_while_there_is_room() {
    check(|| {
        let admission = Admission::new(2);
        threads(2, move |_| {
            for _ in 0..3 {
                admission.try_enter().unwrap();
                admission.leave();
            }
        });
    });
}

#[test]
fn those_who_ask_and_those_who_wait_share_the_room() {
    check(|| {
        let (admission, inside) = (Admission::new(1), Inside::default());
        threads(3, move |number| {
            for _ in 0..2 {
                let entered = match number {
                    0 => admission.try_acquire().ok(),
                    _ => block_on(admission.acquire()).ok(),
                };
                if let Some(slot) = entered {
                    inside.visit(1);
                    drop(slot);
                }
            }
        });
    });
}

#[test]
fn the_places_of_a_batch_are_taken_all_or_none() {
    check(|| {
        let admission = Admission::new(3);
        let last = Arc::clone(&admission);
        threads(3, move |number| {
            if number == 0 {
                for _ in 0..2 {
                    block_on(admission.acquire()).map(drop).unwrap();
                }
            } else if admission.try_enter_many(2).is_ok() {
                assert!(admission.in_flight() >= 2);
                admission.leave();
                admission.leave();
            }
        });
        assert_eq!(last.in_flight(), 0);
        last.try_enter_many(3).unwrap();
    });
}

#[test]
fn those_who_wait_are_told_when_it_closes() {
    check(|| {
        let admission = Admission::new(1);
        let _taken = admission.try_acquire().unwrap();
        let last = Arc::clone(&admission);
        threads(3, move |number| match number {
            0 => admission.close(),
            _ => assert_eq!(block_on(admission.acquire()).unwrap_err(), NoRoom::Closed),
        });
        assert_eq!(last.try_acquire().unwrap_err(), NoRoom::Closed);
    });
}

/// One who was woken stays until the other has come as well.
#[test]
fn as_many_wake_as_there_is_room_for() {
    check(|| {
        let admission = Admission::new(2);
        let taken = [(); 2].map(|()| Mutex::new(admission.try_acquire().ok()));
        let together = Barrier::new(2);
        threads(4, move |number| {
            if let Some(taken) = taken.get(number) {
                drop(taken.lock().unwrap().take());
            } else {
                let slot = block_on(admission.acquire()).unwrap();
                together.wait();
                drop(slot);
            }
        });
    });
}

/// Somebody stops waiting just when he is told that there is room.
#[test]
fn a_wait_that_is_dropped_passes_the_word_on() {
    check(|| {
        let admission = Admission::new(1);
        let taken = Mutex::new(admission.try_acquire().ok());
        threads(3, move |number| match number {
            0 => drop(taken.lock().unwrap().take()),
            1 => poll_once(admission.acquire()),
            _ => block_on(admission.acquire()).map(drop).unwrap(),
        });
    });
}

fn poll_once(wait: impl Future<Output = Result<Slot, NoRoom>>) {
    let mut wait = std::pin::pin!(wait);
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let _ = wait.as_mut().poll(&mut cx);
    // Here it may be told, before it is dropped.
    thread::yield_now();
}

#[test]
fn what_is_beyond_the_limit_wakes_nobody_too_early_and_nobody_too_late() {
    check(|| {
        let admission = Admission::new(1);
        admission.enter_beyond_limit();
        admission.enter_beyond_limit();
        threads(3, move |number| match number {
            0 | 1 => admission.leave(),
            _ => {
                let slot = block_on(admission.acquire()).unwrap();
                assert_eq!(admission.in_flight(), 1);
                drop(slot);
            }
        });
    });
}
