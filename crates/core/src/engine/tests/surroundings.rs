//! Hooks and the recorder around the attempts of a task.

use std::{num::NonZeroU32, time::Duration};

use super::{
    diary::{Diary, Trouble},
    *,
};
use crate::{RetryPolicy, State, TaskError, TaskOptions};

fn prepared(stage: &Stage) -> Attempt {
    let attempt = stage.take();
    assert!(matches!(block_on(attempt.prepare()), Prepared::Ready));
    assert!(attempt.begin(&stage::worker()));
    attempt
}

#[test]
fn each_attempt_is_set_up_and_torn_down_once() {
    let diary = Diary::new();
    let stage = Stage::with(diary.both());
    let retry = RetryPolicy::fixed(NonZeroU32::new(2).unwrap(), Duration::ZERO);
    let mut handle = stage.submit(TaskOptions::new().retry(retry));
    block_on(prepared(&stage).finish(Err(TaskError::failed("not yet"))));
    block_on(prepared(&stage).finish(Ok(reply())));
    assert_eq!(end(&mut handle).state(), State::Succeeded);
    let lines = [
        "submitted",
        "started 1",
        "setup 1",
        "teardown 1 failed",
        "retrying after 1",
        "started 2",
        "setup 2",
        "teardown 2 succeeded",
        "finished succeeded",
    ];
    assert_eq!(diary.lines(), lines);
}

/// The record of the end was made before the teardown could add to it.
#[test]
fn what_goes_wrong_in_the_teardown_is_recorded_with_the_end() {
    let diary = Diary::trouble_at("teardown", Trouble::Fail);
    let stage = Stage::with(diary.both());
    let mut handle = stage.submit(TaskOptions::new());
    block_on(prepared(&stage).finish(Ok(reply())));
    assert_eq!(end(&mut handle).notes().len(), 1);
    assert_eq!(diary.lines().last().unwrap(), "finished succeeded with notes");
}

#[test]
fn a_running_attempt_that_is_dropped_is_torn_down() {
    let diary = Diary::new();
    let stage = Stage::with(diary.both());
    let mut handle = stage.submit(TaskOptions::new());
    drop(prepared(&stage));
    assert_eq!(end(&mut handle).state(), State::Lost);
    let lines = ["submitted", "started 1", "setup 1", "teardown 1 lost", "finished lost"];
    assert_eq!(diary.lines(), lines);
    stage.must_be_at_rest();
}

#[test]
fn a_task_that_never_began_is_recorded_and_not_torn_down() {
    let diary = Diary::new();
    let stage = Stage::with(diary.both());
    let mut handle = stage.submit(TaskOptions::new().expires(SECOND));
    stage.pass(SECOND);
    assert_eq!(end(&mut handle).state(), State::Failed);
    drop(stage.take());
    assert_eq!(diary.lines(), ["submitted", "finished failed"]);
    stage.must_be_at_rest();
}
