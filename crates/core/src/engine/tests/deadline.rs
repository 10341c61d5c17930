//! What is left when the executor's deadline passes.

use std::time::Duration;

use super::{
    diary::{Diary, Trouble},
    *,
};
use crate::{LossReason, State, TaskError, TaskErrorKind, TaskOptions};

const DEADLINE: Duration = SECOND.saturating_mul(30);

/// Lets the deadline pass, and the time after it in which bodies and then hooks may end.
fn past_the_deadline(stage: &Stage) {
    stage.pass(DEADLINE);
    stage.pass(DEADLINE / 10);
    stage.pass(DEADLINE / 10);
}

fn prepared(stage: &Stage) -> Attempt {
    let attempt = stage.take();
    assert!(matches!(block_on(attempt.prepare()), Prepared::Ready));
    assert!(attempt.begin(&stage::worker()));
    attempt
}

/// Review 10 and 13: a stuck body was neither torn down nor recorded, and counted twice.
#[test]
fn a_stuck_task_is_torn_down_recorded_and_counted_once() {
    for how in [Shutdown::drain, Shutdown::cancel_pending, Shutdown::abort] {
        let diary = Diary::new();
        let stage = Stage::with(diary.both());
        let mut events = stage.events();
        let mut handle = stage.submit(TaskOptions::new());
        let stuck = prepared(&stage);
        let mut shutdown = stage.engine.shutdown(how(DEADLINE));
        assert!(poll(shutdown.as_mut()).is_pending());
        past_the_deadline(&stage);
        let report = block_on(shutdown);
        assert_eq!((report.stopped, report.cancelled, report.lost), (true, 0, 1));
        let outcome = end(&mut handle);
        assert_eq!(outcome.state(), State::Lost);
        stuck.finish_elsewhere(Ok(reply()));
        let recorded = ["submitted", "started 1", "setup 1", "teardown 1 lost", "finished lost"];
        assert_eq!(diary.lines(), recorded);
        assert_eq!(stage.engine.status().counts.late, 1);
        stage.must_be_at_rest();
        let told = story(&mut events, handle.task_id());
        assert_eq!(told.last().unwrap(), "finished lost");
        assert_eq!(told.iter().filter(|word| word.starts_with("finished")).count(), 1);
    }
}

#[test]
fn a_body_that_stops_when_it_is_forced_to_is_cancelled_and_not_lost() {
    let stage = Stage::new();
    let mut handle = stage.submit(TaskOptions::new().grace(DEADLINE * 2));
    let attempt = stage.begin();
    let mut shutdown = stage.engine.shutdown(Shutdown::drain(DEADLINE));
    assert!(poll(shutdown.as_mut()).is_pending());
    stage.pass(DEADLINE);
    assert_eq!(attempt.context().cancel_source().level(), crate::StopLevel::Forced);
    attempt.finish_elsewhere(Err(TaskError::cancelled()));
    let report = block_on(shutdown);
    assert_eq!((report.stopped, report.cancelled, report.lost), (true, 1, 0));
    assert_eq!(end(&mut handle).state(), State::Cancelled);
}

/// The setup began although the end was claimed, and nobody owed the teardown.
#[test]
fn no_setup_begins_after_the_task_was_given_up() {
    let diary = Diary::trouble_at("started", Trouble::Hang);
    let stage = Stage::with(diary.both());
    let mut handle = stage.submit(TaskOptions::new());
    let attempt = stage.take();
    let mut preparing = Box::pin(attempt.prepare());
    assert!(poll(preparing.as_mut()).is_pending());
    stage.engine.begin_shutdown(Shutdown::abort(DEADLINE));
    past_the_deadline(&stage);
    assert_eq!(end(&mut handle).state(), State::Lost);
    diary.go_on();
    assert!(matches!(block_on(preparing), Prepared::Failed(_)));
    drop(attempt);
    assert_eq!(diary.lines(), ["submitted", "finished lost", "started 1"]);
    assert_eq!(diary.setups(), 0);
    stage.must_be_at_rest();
}

#[test]
fn a_teardown_that_hangs_does_not_hold_up_the_deadline() {
    let diary = Diary::trouble_at("teardown", Trouble::Hang);
    let stage = Stage::with(diary.both());
    let mut handle = stage.submit(TaskOptions::new());
    let mut settling = Box::pin(prepared(&stage).finish(Ok(reply())));
    assert!(poll(settling.as_mut()).is_pending());
    let mut shutdown = stage.engine.shutdown(Shutdown::drain(DEADLINE));
    assert!(poll(shutdown.as_mut()).is_pending());
    past_the_deadline(&stage);
    let report = block_on(shutdown);
    assert_eq!((report.stopped, report.lost), (true, 1));
    assert_eq!(end(&mut handle).state(), State::Lost);
    diary.go_on();
    block_on(settling);
    stage.must_be_at_rest();
}

/// Only what the stop itself has done is in its report.
#[test]
fn what_was_lost_before_the_stop_is_not_in_its_report() {
    let stage = Stage::new();
    stage.play().abandons = true;
    let mut lost = stage.submit(TaskOptions::new());
    drop(stage.begin());
    assert_eq!(end(&mut lost).state(), State::Lost);
    let mut stuck = stage.submit(TaskOptions::new().time_limit(SECOND).unwrap().grace(SECOND));
    let attempt = stage.begin();
    stuck.cancel();
    stage.pass(SECOND);
    stage.pass(SECOND);
    let outcome = end(&mut stuck);
    let Some(TaskErrorKind::WorkerLost(loss)) = outcome.error().map(TaskError::kind) else {
        panic!("{outcome:?}");
    };
    assert_eq!(loss.reason, LossReason::Abandoned);
    let report = block_on(stage.engine.shutdown(Shutdown::drain(DEADLINE)));
    assert_eq!((report.stopped, report.cancelled, report.lost), (true, 0, 0));
    drop(attempt);
}

#[test]
fn a_task_that_was_cancelled_and_is_stuck_counts_as_lost_once() {
    let stage = Stage::new();
    let mut handle = stage.submit(TaskOptions::new());
    let _stuck = stage.begin();
    assert_eq!(handle.cancel(), Cancel::Requested);
    let mut shutdown = stage.engine.shutdown(Shutdown::cancel_pending(DEADLINE));
    assert!(poll(shutdown.as_mut()).is_pending());
    past_the_deadline(&stage);
    let report = block_on(shutdown);
    assert_eq!((report.stopped, report.cancelled, report.lost), (true, 0, 1));
    assert_eq!(end(&mut handle).state(), State::Lost);
}

#[test]
fn the_backend_is_told_to_close_ever_harder_and_each_way_once() {
    let stage = Stage::new();
    let _handle = stage.submit(TaskOptions::new());
    let _stuck = stage.begin();
    stage.engine.begin_shutdown(Shutdown::drain(DEADLINE));
    assert!(stage.played().closes.is_empty());
    stage.engine.begin_shutdown(Shutdown::cancel_pending(DEADLINE));
    stage.engine.begin_shutdown(Shutdown::abort(DEADLINE));
    past_the_deadline(&stage);
    assert_eq!(stage.played().closes, [Close::CancelQueued, Close::StopRunning, Close::Abandon]);
}
