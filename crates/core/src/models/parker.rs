//! Who blocks on a future is woken whenever that has something new, and by nothing else for good.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Poll, Waker},
};

use shuttle::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::{check, parking::wakes_take_time};
use crate::blocking::block_on;

/// Counts up, and wakes who waits for a count.
#[derive(Default)]
struct Counter {
    count: AtomicUsize,
    waiter: Mutex<Option<Waker>>,
}

impl Counter {
    fn raise(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
        let waiter = self.waiter.lock().unwrap().clone();
        waiter.iter().for_each(Waker::wake_by_ref);
    }

    async fn reaches(&self, count: usize) {
        poll_fn(|cx| {
            *self.waiter.lock().unwrap() = Some(cx.waker().clone());
            let reached = self.count.load(Ordering::SeqCst) >= count;
            if reached { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// A wake that comes late is meant for a wait that is over, and must not use up the next one.
#[test]
fn who_waits_again_and_again_misses_no_wake() {
    wakes_take_time();
    check(|| {
        let counter = Arc::new(Counter::default());
        let raises = [(); 2].map(|()| {
            let counter = Arc::clone(&counter);
            thread::spawn(move || counter.raise())
        });
        block_on(counter.reaches(1));
        block_on(counter.reaches(2));
        raises.into_iter().for_each(|raise| raise.join().unwrap());
    });
}

#[test]
fn a_wait_inside_a_wait_does_not_swallow_what_wakes_the_outer_one() {
    wakes_take_time();
    check(|| {
        let [outer, inner] = [(); 2].map(|()| Arc::new(Counter::default()));
        let raises = [&outer, &inner].map(|counter| {
            let counter = Arc::clone(counter);
            thread::spawn(move || counter.raise())
        });
        let mut wait = Box::pin(outer.reaches(1));
        block_on(poll_fn(|cx| {
            let poll = wait.as_mut().poll(cx);
            block_on(inner.reaches(1));
            poll
        }));
        raises.into_iter().for_each(|raise| raise.join().unwrap());
    });
}
