//! Finding a task again by its address.

use super::*;
use crate::{State, TaskOptions, WaitError};

fn ended(stage: &Stage) -> TaskHandle {
    let handle = stage.submit(TaskOptions::new());
    stage.begin().finish_elsewhere(Ok(reply()));
    handle
}

/// Review 14: only an address that was asked for before the end was any good.
#[test]
fn an_address_that_is_asked_for_after_the_end_leads_to_the_outcome() {
    let stage = Stage::new();
    let handle = ended(&stage);
    let job = handle.job_handle();
    for _ in 0..2 {
        let mut found = block_on(stage.engine.attach(&job)).unwrap();
        assert_eq!(end(&mut found).state(), State::Succeeded);
    }
    drop(handle);
    assert!(block_on(stage.engine.attach(&job)).is_ok());
}

/// Awaiting such a handle panicked.
#[test]
fn an_outcome_that_was_taken_before_its_address_was_asked_for_is_not_found() {
    let stage = Stage::new();
    let mut handle = ended(&stage);
    assert_eq!(end(&mut handle).state(), State::Succeeded);
    assert_eq!(handle.wait().unwrap_err(), WaitError::Taken);
    assert!(block_on(stage.engine.attach(&handle.job_handle())).is_err());
}

/// Review 14.
#[test]
fn only_so_many_outcomes_are_kept() {
    for retain in [0, 3] {
        let stage = Stage::with(|options| options.retain(retain));
        let jobs: Vec<_> = (0..10).map(|_| ended(&stage).job_handle()).collect();
        let kept = |job: &JobHandle| block_on(stage.engine.attach(job)).is_ok();
        let expected: Vec<_> = (0..10).map(|place| place >= 10 - retain).collect();
        assert_eq!(jobs.iter().map(kept).collect::<Vec<_>>(), expected);
    }
}

/// What was kept held the executor, which held what was kept.
#[test]
fn kept_outcomes_do_not_keep_the_executor() {
    let stage = Stage::new();
    let handle = ended(&stage);
    let _job = handle.job_handle();
    let core = Arc::downgrade(&stage.engine.core);
    let backend = Arc::downgrade(stage.engine.backend());
    drop(stage);
    let _again = handle.job_handle();
    assert_eq!(core.strong_count(), 1, "the handle holds it");
    drop(handle);
    assert_eq!((core.strong_count(), backend.strong_count()), (0, 0));
}
