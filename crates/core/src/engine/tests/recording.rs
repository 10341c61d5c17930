//! What can happen while the acceptance of a task is being recorded.

use super::{
    diary::{Diary, Trouble},
    *,
};
use crate::{Rejection, State, SubmitErrorKind, TaskError, TaskErrorKind, TaskOptions};

fn slow() -> (Arc<Diary>, Stage) {
    let diary = Diary::trouble_at("submitted", Trouble::Hang);
    let stage = Stage::with(diary.recorder());
    (diary, stage)
}

fn kind(outcome: &crate::Outcome) -> Option<&TaskErrorKind> {
    outcome.error().map(TaskError::kind)
}

/// Review 2: the task lived on, and its id and place with it.
#[test]
fn a_submission_that_is_dropped_while_it_is_recorded_was_none() {
    let (diary, stage) = slow();
    let mut events = stage.events();
    let task = Stage::task(TaskOptions::new().max_instances(std::num::NonZeroU32::MIN));
    let mut submission = stage.engine.submit(task.clone());
    assert!(poll(submission.as_mut()).is_pending());
    assert_eq!(stage.engine.status().in_flight, 1);
    drop(submission);
    stage.must_be_at_rest();
    assert_eq!(block_on(stage.engine.cancel(task.id())), Cancel::NotFound);
    diary.go_on();
    let mut handle = block_on(stage.engine.submit(task)).unwrap();
    stage.begin().finish_elsewhere(Ok(reply()));
    assert_eq!(end(&mut handle).state(), State::Succeeded);
    let told = ["submitted", "started 1", "finished succeeded"];
    assert_eq!(story(&mut events, handle.task_id()), told);
    stage.must_be_at_rest();
}

/// Review 3: the end was told before the acceptance, and the count of tasks wrapped.
#[test]
fn a_task_that_is_cancelled_while_it_is_recorded_ends_after_its_acceptance() {
    let (diary, stage) = slow();
    let mut events = stage.events();
    let task = Stage::task(TaskOptions::new());
    let id = task.id();
    let mut submission = stage.engine.submit(task);
    assert!(poll(submission.as_mut()).is_pending());
    assert_eq!(block_on(stage.engine.cancel(id)), Cancel::Requested);
    assert_eq!(block_on(stage.engine.cancel_all()), 1);
    assert!(story(&mut events, id).is_empty());
    diary.go_on();
    let mut handle = block_on(submission).unwrap();
    assert_eq!(end(&mut handle).state(), State::Cancelled);
    assert!(stage.take_if_any().is_none());
    assert_eq!(story(&mut events, id), ["submitted", "finished cancelled"]);
    assert_eq!(diary.lines(), ["submitted", "finished cancelled"]);
    stage.must_be_at_rest();
}

#[test]
fn a_task_that_is_cancelled_while_its_refusal_is_on_the_way_is_refused() {
    let diary = Diary::trouble_at("submitted", Trouble::Fail);
    let stage = Stage::with(diary.recorder());
    let refused = block_on(stage.engine.submit(Stage::task(TaskOptions::new()))).unwrap_err();
    assert_eq!(refused.kind(), SubmitErrorKind::Infrastructure);
    stage.must_be_at_rest();
    assert_eq!(stage.engine.status().counts.submitted, 0);
    assert!(diary.lines().is_empty());
}

/// Whoever attached would have waited for ever.
#[test]
fn nobody_attaches_to_a_task_that_is_not_accepted_yet() {
    let (diary, stage) = slow();
    let task = Stage::task(TaskOptions::new());
    let job = JobHandle::new(task.id(), "stage");
    let mut submission = stage.engine.submit(task);
    assert!(poll(submission.as_mut()).is_pending());
    assert!(block_on(stage.engine.attach(&job)).is_err());
    diary.go_on();
    let handle = block_on(submission).unwrap();
    assert_eq!(block_on(stage.engine.attach(&job)).unwrap().task_id(), handle.task_id());
}

/// Review 11.
#[test]
fn a_task_that_cannot_be_recorded_after_all_resolves_as_rejected() {
    for trouble in [Trouble::Fail, Trouble::Panic] {
        let diary = Diary::trouble_at("submitted", trouble);
        let stage = Stage::with(diary.both());
        let mut events = stage.events();
        let mut handle = stage.submit(TaskOptions::new());
        let rejected = TaskErrorKind::Rejected(Rejection::NotRecorded);
        assert_eq!(kind(&end(&mut handle)), Some(&rejected));
        stage.must_be_at_rest();
        assert_eq!(story(&mut events, handle.task_id()), ["finished failed"]);
        assert!(diary.lines().is_empty(), "what is not recorded does not end either");
    }
}

/// Review 7: the backend had no thread for the recorder.
#[test]
fn a_task_whose_recorder_is_never_run_resolves_as_rejected() {
    let stage = Stage::with(Diary::new().both());
    stage.play().drive = Drive::Never;
    let mut handle = stage.submit(TaskOptions::new());
    let rejected = TaskErrorKind::Rejected(Rejection::NotRecorded);
    assert_eq!(kind(&end(&mut handle)), Some(&rejected));
    stage.must_be_at_rest();
}

/// The handle was out, and nobody felt responsible for it.
#[test]
fn a_recorder_that_hangs_at_the_acceptance_does_not_hold_up_the_deadline() {
    let (diary, stage) = slow();
    stage.play().drive = Drive::Later;
    let mut events = stage.events();
    let mut handle = stage.submit(TaskOptions::new());
    let id = handle.task_id();
    let mut shutdown = stage.engine.shutdown(Shutdown::drain(SECOND * 10));
    assert!(poll(shutdown.as_mut()).is_pending());
    stage.pass(SECOND * 12);
    stage.pass(SECOND);
    stage.pass(SECOND);
    assert!(block_on(shutdown).stopped);
    assert_eq!(end(&mut handle).state(), State::Lost);
    // The record comes too late.
    diary.go_on();
    stage.drive();
    assert!(stage.take_if_any().is_none());
    assert_eq!(story(&mut events, id), ["finished lost"]);
    stage.must_be_at_rest();
}

#[test]
fn a_submission_that_a_shutdown_overtakes_ends_as_cancelled() {
    let (diary, stage) = slow();
    let mut submission = stage.engine.submit(Stage::task(TaskOptions::new()));
    assert!(poll(submission.as_mut()).is_pending());
    stage.engine.begin_shutdown(Shutdown::cancel_pending(SECOND * 10));
    diary.go_on();
    let mut handle = block_on(submission).unwrap();
    assert_eq!(end(&mut handle).state(), State::Cancelled);
    let report = block_on(stage.engine.shutdown(Shutdown::cancel_pending(SECOND)));
    assert_eq!((report.stopped, report.cancelled), (true, 1));
}
