//! A wish to stop reaches everybody who waits for it.

use std::{future::Future, sync::Arc, task::Context};

use shuttle::{future::block_on, thread};

use super::check;
use crate::{CancelSource, StopLevel, WaitKey};

#[test]
fn who_waits_for_a_level_is_woken_when_it_is_raised() {
    check(|| {
        let source = Arc::new(CancelSource::new());
        let waits = [StopLevel::Requested, StopLevel::Forced].map(|level| {
            let source = Arc::clone(&source);
            thread::spawn(move || {
                block_on(source.reached(StopLevel::Requested));
                block_on(source.reached(level));
                assert!(source.level() >= level);
            })
        });
        source.raise(StopLevel::Requested);
        source.raise(StopLevel::Forced);
        waits.into_iter().for_each(|wait| wait.join().unwrap());
    });
}

#[test]
fn two_who_raise_and_one_who_leaves_leave_nobody_asleep() {
    check(|| {
        let source = Arc::new(CancelSource::new());
        let raises = [StopLevel::Requested, StopLevel::Forced].map(|level| {
            let source = Arc::clone(&source);
            thread::spawn(move || source.raise(level))
        });
        let leaver = {
            let source = Arc::clone(&source);
            thread::spawn(move || {
                let mut wait = Box::pin(source.reached(StopLevel::Forced));
                let _ = wait.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop()));
            })
        };
        // A body polls by turns, with the same key.
        let mut key = WaitKey::default();
        block_on(std::future::poll_fn(|cx| source.poll_level(StopLevel::Forced, cx, &mut key)));
        source.forget(&mut key);
        assert_eq!(source.level(), StopLevel::Forced);
        raises.into_iter().for_each(|raise| raise.join().unwrap());
        leaver.join().unwrap();
    });
}
