//! One attempt after another.

use std::{num::NonZeroU32, time::Duration};

use super::{stage::OnStart, *};
use crate::{LossReason, RetryPolicy, State, TaskError, TaskErrorKind, TaskOptions, WorkerLost};

fn attempts(n: u32, delay: Duration) -> TaskOptions {
    TaskOptions::new().retry(RetryPolicy::fixed(NonZeroU32::new(n).unwrap(), delay))
}

fn fails(attempt: Attempt) {
    attempt.finish_elsewhere(Err(TaskError::failed("not yet")));
}

/// Review 15.
#[test]
fn only_the_first_attempt_can_expire() {
    let stage = Stage::new();
    let mut handle = stage.submit(attempts(2, SECOND * 5).expires(SECOND));
    fails(stage.begin());
    stage.pass(SECOND * 2);
    assert_eq!(handle.state(), State::Pending);
    stage.pass(SECOND * 3);
    stage.begin().finish_elsewhere(Ok(reply()));
    assert_eq!(end(&mut handle).state(), State::Succeeded);
}

/// The deadline had left the timer when the first attempt failed, and found the second waiting.
#[test]
fn an_expiry_that_comes_late_leaves_the_second_attempt_alone() {
    let stage = Stage::new();
    let mut handle = stage.submit(attempts(2, Duration::ZERO).expires(SECOND));
    let cell = stage.cell(&handle);
    fails(stage.begin());
    cell.upgrade().unwrap().expire();
    stage.begin().finish_elsewhere(Ok(reply()));
    assert_eq!(end(&mut handle).state(), State::Succeeded);
}

/// Review 6: what runs may finish, but nothing is tried again.
#[test]
fn an_attempt_that_fails_during_a_shutdown_is_the_last_one() {
    let stage = Stage::new();
    let mut handle = stage.submit(attempts(3, Duration::ZERO));
    let attempt = stage.begin();
    stage.engine.begin_shutdown(Shutdown::cancel_pending(SECOND));
    fails(attempt);
    let outcome = end(&mut handle);
    assert_eq!(outcome.error().map(TaskError::kind), Some(&TaskErrorKind::Failed));
    let report = block_on(stage.engine.shutdown(Shutdown::cancel_pending(SECOND)));
    assert_eq!((report.stopped, report.cancelled, report.lost), (true, 0, 0));
}

/// Review 6: the stop begins when the retry is decided already.
#[test]
fn a_retry_that_a_shutdown_overtakes_ends_as_cancelled() {
    let diary = diary::Diary::trouble_at("teardown", diary::Trouble::Hang);
    let stage = Stage::with(diary.both());
    let mut handle = stage.submit(attempts(3, Duration::ZERO));
    let attempt = stage.take();
    assert!(matches!(block_on(attempt.prepare()), Prepared::Ready));
    assert!(attempt.begin(&stage::worker()));
    let mut settling = Box::pin(attempt.finish(Err(TaskError::failed("not yet"))));
    assert!(poll(settling.as_mut()).is_pending());
    stage.engine.begin_shutdown(Shutdown::cancel_pending(SECOND));
    diary.go_on();
    block_on(settling);
    assert_eq!(end(&mut handle).state(), State::Cancelled);
    let report = block_on(stage.engine.shutdown(Shutdown::cancel_pending(SECOND)));
    assert_eq!((report.stopped, report.cancelled, report.lost), (true, 1, 0));
    // What was announced as a retry is recorded to its end all the same.
    assert_eq!(diary.lines().last().unwrap(), "finished cancelled");
}

/// Review 6: an attempt that the backend drops because it closes.
#[test]
fn a_waiting_retry_is_cancelled_by_a_shutdown() {
    for delay in [Duration::ZERO, SECOND * 60] {
        let stage = Stage::new();
        let mut handle = stage.submit(attempts(3, delay));
        fails(stage.begin());
        stage.engine.begin_shutdown(Shutdown::cancel_pending(SECOND));
        assert_eq!(end(&mut handle).state(), State::Cancelled, "after {delay:?}");
        stage.must_be_at_rest();
    }
}

#[test]
fn a_drain_goes_on_with_retries() {
    let stage = Stage::new();
    let mut handle = stage.submit(attempts(2, SECOND));
    fails(stage.begin());
    stage.engine.begin_shutdown(Shutdown::drain(SECOND * 60));
    stage.pass(SECOND);
    stage.begin().finish_elsewhere(Ok(reply()));
    assert_eq!(end(&mut handle).state(), State::Succeeded);
    assert!(block_on(stage.engine.shutdown(Shutdown::drain(SECOND))).stopped);
}

/// Review 18: each retry was a start inside the start before.
#[test]
fn a_hundred_thousand_attempts_need_no_more_stack_than_one() {
    const MANY: u32 = 100_000;
    let stage = Stage::new();
    for on_start in [OnStart::Fail, OnStart::Drop] {
        stage.play().on_start = on_start;
        let mut handle = stage.submit(attempts(MANY, Duration::ZERO).idempotent(true));
        let outcome = end(&mut handle);
        match on_start {
            OnStart::Fail => {
                assert_eq!((outcome.state(), outcome.attempts()), (State::Failed, MANY))
            }
            _ => assert_eq!(outcome.state(), State::Lost),
        }
    }
    assert_eq!(stage.engine.status().counts.retried, 2 * u64::from(MANY - 1));
    stage.must_be_at_rest();
}

/// The same on the thread of a delay, and of a submission inside a start.
#[test]
fn tasks_that_fail_inside_the_start_of_others_are_retried_on_their_own() {
    let stage = Stage::new();
    stage.play().on_start = OnStart::Fail;
    let mut delayed = stage.submit(attempts(50_000, Duration::ZERO).delay(SECOND));
    stage.pass(SECOND);
    assert_eq!(end(&mut delayed).attempts(), 50_000);
    stage.must_be_at_rest();
}

/// The place was given back by the dropped attempt and again at the end of the task.
#[test]
fn an_attempt_that_is_lost_in_the_queue_is_retried_in_its_place() {
    for hooked in [false, true] {
        let diary = diary::Diary::new();
        let stage = if hooked { Stage::with(diary.both()) } else { Stage::new() };
        stage.play().drive = Drive::Later;
        let mut handle = block_on(
            stage.engine.submit(Stage::task(attempts(2, Duration::ZERO).idempotent(true))),
        )
        .unwrap();
        drop(stage.take());
        assert_eq!(stage.engine.status().in_flight, 1, "with hooks: {hooked}");
        stage.drive();
        assert_eq!(stage.engine.status().in_flight, 1);
        stage.begin().finish_elsewhere(Ok(reply()));
        stage.drive();
        assert_eq!(end(&mut handle).state(), State::Succeeded);
        stage.must_be_at_rest();
    }
}

#[test]
fn a_lost_worker_is_retried_only_when_that_does_no_harm() {
    for (idempotent, state) in [(false, State::Lost), (true, State::Succeeded)] {
        let stage = Stage::new();
        let mut handle = stage.submit(attempts(2, Duration::ZERO).idempotent(idempotent));
        let lost = WorkerLost { reason: LossReason::Died, ..WorkerLost::default() };
        stage.begin().finish_elsewhere(Err(TaskError::lost(lost, "killed")));
        if let Some(second) = stage.take_if_any() {
            assert!(second.begin(&stage::worker()));
            second.finish_elsewhere(Ok(reply()));
        }
        assert_eq!(end(&mut handle).state(), state);
        stage.must_be_at_rest();
    }
}

#[test]
fn a_late_result_of_an_earlier_attempt_is_dropped_and_counted() {
    let stage = Stage::new();
    stage.play().abandons = true;
    let options = attempts(2, Duration::ZERO).time_limit(SECOND).unwrap();
    let mut handle = stage.submit(options);
    let stuck = stage.begin();
    stage.pass(SECOND);
    let second = stage.begin();
    stuck.finish_elsewhere(Ok(reply()));
    assert_eq!(handle.state(), State::Running);
    second.finish_elsewhere(Err(TaskError::failed("really")));
    assert_eq!(end(&mut handle).state(), State::Failed);
    let counts = stage.engine.status().counts;
    assert_eq!((counts.late, counts.retried), (1, 1));
    stage.must_be_at_rest();
}
