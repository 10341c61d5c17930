//! One outcome, however many want to leave one, and it reaches who waits.

use std::sync::Arc;

use shuttle::{
    future::block_on,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use super::check;
use crate::{JoinCell, Outcome, TaskError, WaitKey};

type Cell = JoinCell<u32, ()>;

/// Waits for the outcome as a handle does.
fn wait(cell: &Cell) -> Option<Outcome<u32>> {
    let mut key = WaitKey::default();
    let outcome = block_on(std::future::poll_fn(|cx| cell.poll_take(cx, &mut key)));
    cell.forget(&mut key);
    outcome
}

fn cancelled() -> Outcome<u32> {
    Outcome::bare(Err(TaskError::cancelled()))
}

/// A worker runs it, its handle cancels it, and the pool gives it up, all at once.
#[test]
fn a_task_that_is_run_cancelled_and_given_up_at_once_ends_once() {
    check(|| {
        let (cell, ends) = (Arc::new(Cell::new(())), Arc::new(AtomicUsize::new(0)));
        let end = |ends: &AtomicUsize, ended: bool| {
            ends.fetch_add(usize::from(ended), Ordering::SeqCst);
        };
        let actors: [fn(&Cell) -> bool; 3] = [
            |cell| cell.begin().is_some() && cell.complete(Outcome::bare(Ok(1))).is_ok(),
            |cell| cell.complete_pending(cancelled()).is_ok(),
            |cell| cell.complete(cancelled()).is_ok(),
        ];
        let threads = actors.map(|act| {
            let (cell, ends) = (Arc::clone(&cell), Arc::clone(&ends));
            thread::spawn(move || end(&ends, act(&cell)))
        });
        let waiter = {
            let cell = Arc::clone(&cell);
            thread::spawn(move || wait(&cell).is_some())
        };
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(waiter.join().unwrap(), "the outcome was there for the one who waited");
        assert_eq!(ends.load(Ordering::SeqCst), 1);
        assert!(cell.state().is_final());
        assert!(cell.begin().is_none());
    });
}

#[test]
fn those_who_wait_for_the_end_are_woken_though_one_takes_the_outcome() {
    check(|| {
        let cell = Arc::new(Cell::new(()));
        let waits: Vec<_> = (0..2)
            .map(|_| {
                let cell = Arc::clone(&cell);
                thread::spawn(move || wait(&cell).is_some())
            })
            .collect();
        let ended = {
            let cell = Arc::clone(&cell);
            thread::spawn(move || {
                let mut key = WaitKey::default();
                block_on(std::future::poll_fn(|cx| cell.poll_ended(cx, &mut key)));
                cell.forget(&mut key);
            })
        };
        cell.begin().unwrap();
        cell.complete(Outcome::bare(Ok(1))).unwrap();
        let took: Vec<_> = waits.into_iter().map(|wait| wait.join().unwrap()).collect();
        assert_eq!(took.iter().filter(|took| **took).count(), 1, "one of them took it");
        ended.join().unwrap();
    });
}
