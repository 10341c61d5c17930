//! Cancelling a task wherever it is.

use super::*;
use crate::{RetryPolicy, State, TaskError, TaskErrorKind, TaskOptions};

fn twice(delay: std::time::Duration) -> TaskOptions {
    TaskOptions::new().retry(RetryPolicy::fixed(2.try_into().unwrap(), delay))
}

/// Review 1: the delayed attempt stayed in the timer, and with it the place and the cell.
#[test]
fn a_delayed_task_that_is_cancelled_leaves_nothing_behind() {
    let stage = Stage::new();
    let mut handle = stage.submit(TaskOptions::new().delay(SECOND * 3600));
    let cell = stage.cell(&handle);
    assert_eq!(handle.cancel(), Cancel::Confirmed);
    assert_eq!(end(&mut handle).state(), State::Cancelled);
    stage.must_be_at_rest();
    drop(handle);
    assert_eq!(cell.strong_count(), 0);
}

/// Review 1, with the second attempt in the timer.
#[test]
fn a_task_that_is_cancelled_between_attempts_leaves_nothing_behind() {
    let stage = Stage::new();
    let mut handle = stage.submit(twice(SECOND * 3600));
    let cell = stage.cell(&handle);
    stage.begin().finish_elsewhere(Err(TaskError::failed("not yet")));
    assert_eq!(handle.state(), State::Pending);
    assert_eq!(handle.cancel(), Cancel::Confirmed);
    let outcome = end(&mut handle);
    assert_eq!((outcome.state(), outcome.attempts()), (State::Cancelled, 1));
    stage.must_be_at_rest();
    drop(handle);
    assert_eq!(cell.strong_count(), 0);
}

#[test]
fn a_cancelled_task_keeps_its_place_until_it_has_left_the_queue() {
    let stage = Stage::new();
    let mut handle = stage.submit(TaskOptions::new());
    let queued = stage.take();
    assert_eq!(handle.cancel(), Cancel::Confirmed);
    assert_eq!(end(&mut handle).state(), State::Cancelled);
    assert_eq!(stage.engine.status().in_flight, 1);
    assert!(!queued.is_wanted());
    drop(queued);
    stage.must_be_at_rest();
}

/// Review 4: the wish came while the failed attempt was being torn down, and was forgotten.
#[test]
fn a_cancel_during_the_teardown_ends_a_task_that_was_to_be_retried() {
    let diary = diary::Diary::trouble_at("teardown", diary::Trouble::Hang);
    let stage = Stage::with(diary.both());
    let mut events = stage.events();
    let mut handle = stage.submit(twice(std::time::Duration::ZERO));
    let attempt = stage.take();
    assert!(matches!(block_on(attempt.prepare()), Prepared::Ready));
    assert!(attempt.begin(&stage::worker()));
    let mut settling = Box::pin(attempt.finish(Err(TaskError::failed("not yet"))));
    assert!(poll(settling.as_mut()).is_pending());
    assert_eq!(handle.cancel(), Cancel::Requested);
    assert!(!handle.state().is_final(), "the teardown still runs");
    diary.go_on();
    block_on(settling);
    let outcome = end(&mut handle);
    assert_eq!(outcome.error().map(TaskError::kind), Some(&TaskErrorKind::Cancelled));
    assert!(stage.take_if_any().is_none(), "no attempt follows");
    stage.must_be_at_rest();
    let told = ["submitted", "started 1", "finished cancelled"];
    assert_eq!(story(&mut events, handle.task_id()), told);
}

/// Review 5: a cancel between the end of one attempt and the start of the next.
#[test]
fn a_cancel_that_races_a_retry_never_reads_as_lost() {
    for round in 0..200 {
        let stage = Stage::new();
        let mut handle = stage.submit(twice(std::time::Duration::ZERO));
        let attempt = stage.begin();
        std::thread::scope(|scope| {
            scope.spawn(|| attempt.finish_elsewhere(Err(TaskError::failed("not yet"))));
            scope.spawn(|| handle.cancel());
        });
        while let Some(attempt) = stage.take_if_any() {
            drop(attempt);
        }
        assert_eq!(end(&mut handle).state(), State::Cancelled, "in round {round}");
        stage.must_be_at_rest();
    }
}

#[test]
fn a_result_that_is_there_stands_although_the_task_was_cancelled() {
    let stage = Stage::new();
    let mut handle = stage.submit(TaskOptions::new());
    let attempt = stage.begin();
    assert_eq!(handle.cancel(), Cancel::Requested);
    attempt.finish_elsewhere(Ok(reply()));
    assert_eq!(end(&mut handle).state(), State::Succeeded);
    assert_eq!(handle.cancel(), Cancel::NotFound);
}

#[test]
fn an_attempt_that_outlives_its_task_cannot_touch_the_next_one() {
    let stage = Stage::new();
    let task = Stage::task(TaskOptions::new());
    let mut first = stage.engine.try_submit(task.clone()).unwrap();
    let old = stage.take();
    first.cancel();
    assert_eq!(end(&mut first).state(), State::Cancelled);
    let mut second = stage.engine.try_submit(task).unwrap();
    assert!(!old.begin(&stage::worker()));
    old.finish_elsewhere(Ok(reply()));
    assert_eq!(second.state(), State::Pending);
    stage.begin().finish_elsewhere(Ok(reply()));
    assert_eq!(end(&mut second).state(), State::Succeeded);
    assert_eq!(stage.engine.status().counts.late, 1);
    stage.must_be_at_rest();
}
