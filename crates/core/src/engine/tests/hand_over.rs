//! Attempts that are sent ahead to a worker that will begin them later.

use super::*;
use crate::{EventKind, State, StopLevel, TaskErrorKind, TaskOptions};

#[test]
fn a_handed_over_task_that_is_cancelled_is_recalled_and_ends_once_it_is_dropped() {
    let stage = Stage::new();
    let mut events = stage.events();
    let mut handle = stage.submit(TaskOptions::new());
    let attempt = stage.take();
    assert!(attempt.hand_over());
    assert_eq!(handle.cancel(), Cancel::Requested);
    assert_eq!(handle.cancel(), Cancel::Requested);
    assert_eq!(stage.played().recalls, [(attempt.key(), Recall::Stop)]);
    assert_eq!(handle.state(), State::Pending);
    assert!(!attempt.take_back());
    assert!(!handle.state().is_final(), "the attempt is still out");
    drop(attempt);
    let outcome = end(&mut handle);
    assert_eq!((outcome.state(), outcome.attempts()), (State::Cancelled, 0));
    stage.must_be_at_rest();
    let told = ["submitted", "finished cancelled"];
    assert_eq!(story(&mut events, handle.task_id()), told);
}

#[test]
fn a_handed_over_task_that_expires_is_recalled_and_reads_as_expired() {
    let stage = Stage::new();
    let mut handle = stage.submit(TaskOptions::new().expires(SECOND));
    let attempt = stage.take();
    assert!(attempt.hand_over());
    stage.pass(SECOND);
    assert_eq!(stage.played().recalls, [(attempt.key(), Recall::Expired)]);
    assert!(!attempt.take_back());
    drop(attempt);
    let outcome = end(&mut handle);
    assert_eq!(outcome.error().map(|error| error.kind()), Some(&TaskErrorKind::Expired));
    stage.must_be_at_rest();
}

#[test]
fn an_attempt_that_had_begun_before_the_recall_is_asked_to_stop() {
    let stage = Stage::new();
    let mut events = stage.events();
    let mut handle = stage.submit(TaskOptions::new().grace(SECOND));
    let attempt = stage.take();
    assert!(attempt.hand_over());
    handle.cancel();
    assert!(attempt.begin(&stage::worker()), "it runs already");
    assert!(attempt.context().cancel_requested());
    assert_eq!(stage.played().stops, [StopLevel::Requested]);
    stage.pass(SECOND);
    assert_eq!(stage.played().stops, [StopLevel::Requested, StopLevel::Forced]);
    assert_eq!(handle.state(), State::Running);
    attempt.finish_elsewhere(Err(crate::TaskError::cancelled()));
    assert_eq!(end(&mut handle).state(), State::Cancelled);
    let told = ["submitted", "started 1", "cancel requested", "finished cancelled"];
    assert_eq!(story(&mut events, handle.task_id()), told);
}

#[test]
fn an_attempt_that_comes_back_unstarted_can_be_sent_again() {
    let stage = Stage::new();
    let mut handle = stage.submit(TaskOptions::new());
    let attempt = stage.take();
    assert!(attempt.hand_over());
    assert!(!attempt.hand_over(), "it is out already");
    assert!(attempt.take_back());
    assert!(!attempt.take_back(), "it is back already");
    assert!(attempt.hand_over());
    assert!(attempt.begin(&stage::worker()));
    attempt.finish_elsewhere(Ok(reply()));
    assert_eq!(end(&mut handle).state(), State::Succeeded);
    stage.must_be_at_rest();
}

#[test]
fn an_attempt_that_is_lost_on_the_way_ends_its_task_as_lost() {
    let stage = Stage::new();
    let mut handle = stage.submit(TaskOptions::new());
    let attempt = stage.take();
    assert!(attempt.hand_over());
    drop(attempt);
    assert_eq!(end(&mut handle).state(), State::Lost);
    stage.must_be_at_rest();
}

#[test]
fn a_shutdown_recalls_what_was_handed_over() {
    let stage = Stage::new();
    let mut handle = stage.submit(TaskOptions::new());
    let attempt = stage.take();
    assert!(attempt.hand_over());
    stage.engine.begin_shutdown(Shutdown::cancel_pending(SECOND));
    assert_eq!(stage.played().recalls, [(attempt.key(), Recall::Stop)]);
    assert!(!attempt.take_back());
    drop(attempt);
    assert_eq!(end(&mut handle).state(), State::Cancelled);
    let report = block_on(stage.engine.shutdown(Shutdown::cancel_pending(SECOND)));
    assert_eq!((report.stopped, report.cancelled, report.lost), (true, 1, 0));
}

#[test]
fn a_task_that_was_handed_over_does_not_expire_once_it_runs() {
    let stage = Stage::new();
    let mut started = stage.engine.events(EventFilter::all());
    let mut handle = stage.submit(TaskOptions::new().expires(SECOND));
    let attempt = stage.take();
    assert!(attempt.hand_over());
    assert!(attempt.begin(&stage::worker()));
    stage.pass(SECOND * 2);
    assert!(stage.played().recalls.is_empty());
    attempt.finish_elsewhere(Ok(reply()));
    assert_eq!(end(&mut handle).state(), State::Succeeded);
    let last = std::iter::from_fn(|| started.next_timeout(std::time::Duration::ZERO)).last();
    assert!(matches!(last.unwrap().unwrap().kind, EventKind::Finished { .. }));
}
