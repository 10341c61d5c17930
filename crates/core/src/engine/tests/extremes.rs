//! Durations beyond all time.

use std::{num::NonZeroU32, time::Duration};

use super::*;
use crate::{RetryPolicy, State, TaskError, TaskOptions};

/// Review 8: adding to the present overflowed.
#[test]
fn a_limit_without_end_is_no_panic() {
    let stage = Stage::new();
    let options = TaskOptions::new().time_limit(Duration::MAX).unwrap().grace(Duration::MAX);
    let mut handle = stage.submit(options.expires(Duration::MAX));
    let attempt = stage.begin();
    assert_eq!(handle.cancel(), Cancel::Requested);
    assert!(attempt.context().cancel_requested());
    attempt.finish_elsewhere(Err(TaskError::cancelled()));
    assert_eq!(end(&mut handle).state(), State::Cancelled);
    stage.must_be_at_rest();
}

#[test]
fn a_limit_that_passes_with_a_grace_without_end_is_no_panic() {
    let stage = Stage::new();
    stage.play().patience = Duration::MAX;
    let options = TaskOptions::new().time_limit(SECOND).unwrap().grace(Duration::MAX);
    let mut handle = stage.submit(options);
    let attempt = stage.begin();
    stage.pass(SECOND);
    assert!(attempt.context().cancel_requested());
    attempt.finish_elsewhere(Err(TaskError::cancelled()));
    assert_eq!(end(&mut handle).state(), State::TimedOut);
    stage.must_be_at_rest();
}

#[test]
fn a_delay_without_end_is_no_panic() {
    let stage = Stage::new();
    let mut delayed = stage.submit(TaskOptions::new().delay(Duration::MAX));
    let policy = RetryPolicy::fixed(NonZeroU32::MAX, Duration::MAX)
        .max_delay(Duration::MAX)
        .jitter(Duration::MAX)
        .multiplier(f64::MAX);
    let mut retried = stage.submit(TaskOptions::new().retry(policy));
    stage.begin().finish_elsewhere(Err(TaskError::failed("not yet")));
    stage.pass(SECOND * 3600 * 24 * 365);
    for handle in [&mut delayed, &mut retried] {
        assert_eq!(handle.state(), State::Pending);
        assert_eq!(handle.cancel(), Cancel::Confirmed);
        assert_eq!(end(handle).state(), State::Cancelled);
    }
    stage.must_be_at_rest();
}

#[test]
fn a_shutdown_without_a_deadline_waits_for_what_runs() {
    let stage = Stage::new();
    let mut handle = stage.submit(TaskOptions::new());
    let attempt = stage.begin();
    let mut shutdown = stage.engine.shutdown(Shutdown::abort(Duration::MAX));
    assert!(poll(shutdown.as_mut()).is_pending());
    stage.pass(SECOND * 3600 * 24 * 365);
    assert_eq!(handle.state(), State::Running);
    attempt.finish_elsewhere(Err(TaskError::cancelled()));
    assert_eq!(end(&mut handle).state(), State::Cancelled);
    assert!(block_on(shutdown).stopped);
}
