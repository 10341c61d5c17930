//! Many tasks in one call.

use std::num::NonZeroU32;

use super::{
    diary::{Diary, Trouble},
    *,
};
use crate::{SubmitErrorKind, TaskOptions};

fn tasks(n: usize, options: &TaskOptions) -> Vec<Task> {
    (0..n).map(|_| Stage::task(options.clone())).collect()
}

fn limited(instances: u32) -> TaskOptions {
    TaskOptions::new().max_instances(NonZeroU32::new(instances).unwrap())
}

/// Review 12: the first tasks of the batch ran already when the limit was found to be passed.
#[test]
fn a_batch_over_the_limit_of_instances_is_refused_whole() {
    for batch in [Batch::Wait, Batch::Fit] {
        let stage = Stage::new();
        let many = stage.engine.submit_many(tasks(3, &limited(2)), batch);
        let error = block_on(many).unwrap_err();
        assert_eq!((error.kind(), error.index()), (SubmitErrorKind::MaxInstances, 2));
        let (back, accepted) = error.into_parts();
        assert_eq!((back.len(), accepted.len()), (3, 0));
        assert!(stage.take_if_any().is_none());
        stage.must_be_at_rest();
        assert_eq!(
            block_on(stage.engine.submit_many(tasks(2, &limited(2)), batch)).unwrap().len(),
            2
        );
    }
}

/// One by one they were accepted, and as a batch they were not.
#[test]
fn instances_without_a_limit_do_not_count_against_those_with_one() {
    let stage = Stage::new();
    let mut mixed = tasks(2, &TaskOptions::new());
    mixed.extend(tasks(1, &limited(1)));
    assert_eq!(block_on(stage.engine.submit_many(mixed, Batch::Wait)).unwrap().len(), 3);
}

/// Review 12.
#[test]
fn a_batch_that_has_to_fit_is_accepted_whole_or_not_at_all() {
    let stage = Stage::new();
    let fit = |n| block_on(stage.engine.submit_many(tasks(n, &TaskOptions::new()), Batch::Fit));
    let error = fit(5).unwrap_err();
    assert_eq!((error.kind(), error.index()), (SubmitErrorKind::Full, 0));
    assert_eq!(error.into_parts().0.len(), 5);
    stage.must_be_at_rest();
    let first = fit(3).unwrap();
    assert_eq!(fit(2).unwrap_err().kind(), SubmitErrorKind::Full);
    assert_eq!(stage.engine.status().in_flight, 3);
    assert_eq!(fit(1).unwrap().len(), 1);
    assert_eq!(first.len(), 3);
}

#[test]
fn the_places_of_tasks_that_fail_in_the_middle_of_a_batch_are_given_back() {
    let diary = Diary::trouble_at("submitted", Trouble::Fail);
    let stage = Stage::with(diary.recorder());
    let many = stage.engine.submit_many(tasks(3, &TaskOptions::new()), Batch::Fit);
    let error = block_on(many).unwrap_err();
    assert_eq!((error.kind(), error.index()), (SubmitErrorKind::Infrastructure, 0));
    assert_eq!(error.into_parts().0.len(), 3);
    stage.must_be_at_rest();
}

/// The places of the tasks behind it were never given back.
#[test]
fn a_batch_that_is_dropped_while_it_is_recorded_gives_its_places_back() {
    let diary = Diary::trouble_at("submitted", Trouble::Hang);
    let stage = Stage::with(diary.recorder());
    let mut many = stage.engine.submit_many(tasks(3, &TaskOptions::new()), Batch::Fit);
    assert!(poll(many.as_mut()).is_pending());
    assert_eq!(stage.engine.status().in_flight, 3);
    drop(many);
    stage.must_be_at_rest();
}

#[test]
fn a_batch_that_comes_after_the_shutdown_is_told_so() {
    let stage = Stage::new();
    stage.engine.begin_shutdown(Shutdown::drain(SECOND));
    for batch in [Batch::Wait, Batch::Fit] {
        let many = stage.engine.submit_many(tasks(2, &TaskOptions::new()), batch);
        assert_eq!(block_on(many).unwrap_err().kind(), SubmitErrorKind::Closed);
    }
}

#[test]
fn the_same_id_twice_in_a_batch_is_found_before_anything_starts() {
    let stage = Stage::new();
    let task = Stage::task(TaskOptions::new());
    let many = stage.engine.submit_many(vec![task.clone(), task], Batch::Wait);
    let error = block_on(many).unwrap_err();
    assert_eq!((error.kind(), error.index()), (SubmitErrorKind::DuplicateId, 1));
    stage.must_be_at_rest();
}
