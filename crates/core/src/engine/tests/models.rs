//! What threads can do to each other in the life of a task, tried in many orders.
//!
//! See [`models`](crate::models) for how they are run.

use std::{num::NonZeroU32, time::Duration};

use shuttle::{future::block_on, thread};

use super::{diary::Diary, *};
use crate::{RetryPolicy, State, SubmitErrorKind, TaskError, TaskOptions, models::check};

const WITHOUT_END: Duration = Duration::MAX;

fn beside<T: Send + 'static>(
    stage: &Arc<Stage>,
    run: impl FnOnce(&Stage) -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    let stage = Arc::clone(stage);
    thread::spawn(move || run(&stage))
}

fn submit(stage: &Stage) -> Option<TaskHandle> {
    match stage.engine.try_submit(Stage::task(TaskOptions::new())) {
        Ok(handle) => Some(handle),
        Err(refused) => {
            assert_eq!(refused.kind(), SubmitErrorKind::Closed);
            None
        }
    }
}

/// Runs what is in the queue now.
fn work(stage: &Stage) {
    while let Some(attempt) = stage.take_if_any() {
        if attempt.begin(&stage::worker()) {
            attempt.finish_elsewhere(Ok(reply()));
        }
    }
}

fn twice() -> TaskOptions {
    TaskOptions::new().retry(RetryPolicy::fixed(NonZeroU32::new(2).unwrap(), Duration::ZERO))
}

fn not_yet() -> Result<crate::Payload, TaskError> {
    Err(TaskError::failed("not yet"))
}

/// Either who submits sees that it is closed, or who closes sees the task.
#[test]
fn what_is_accepted_while_an_executor_drains_is_run() {
    check(|| {
        let stage = Arc::new(Stage::new());
        let submitters = [(); 2].map(|()| beside(&stage, submit));
        let worker = beside(&stage, work);
        stage.engine.begin_shutdown(Shutdown::drain(WITHOUT_END));
        let handles = submitters.map(|submitter| submitter.join().unwrap());
        worker.join().unwrap();
        work(&stage);
        for handle in handles.into_iter().flatten() {
            assert_eq!(block_on(handle).state(), State::Succeeded);
        }
        assert!(block_on(stage.engine.shutdown(Shutdown::drain(WITHOUT_END))).stopped);
        stage.must_be_at_rest();
    });
}

#[test]
fn what_is_accepted_while_an_executor_stops_is_cancelled_or_run() {
    check(|| {
        let stage = Arc::new(Stage::new());
        let submitters = [(); 2].map(|()| beside(&stage, submit));
        let worker = beside(&stage, work);
        stage.engine.begin_shutdown(Shutdown::cancel_pending(WITHOUT_END));
        let handles = submitters.map(|submitter| submitter.join().unwrap());
        worker.join().unwrap();
        let mut cancelled = 0;
        for handle in handles.into_iter().flatten() {
            match block_on(handle).state() {
                State::Cancelled => cancelled += 1,
                state => assert_eq!(state, State::Succeeded),
            }
        }
        // Dead entries that came after the backend was closed.
        while let Some(dead) = stage.take_if_any() {
            assert!(!dead.is_wanted());
        }
        let report = block_on(stage.engine.shutdown(Shutdown::cancel_pending(WITHOUT_END)));
        assert_eq!((report.stopped, report.cancelled, report.lost), (true, cancelled, 0));
        stage.must_be_at_rest();
    });
}

#[test]
fn two_who_stop_an_executor_and_the_last_task_all_learn_of_its_end() {
    check(|| {
        let stage = Arc::new(Stage::new());
        let handle = stage.submit(TaskOptions::new());
        let worker = beside(&stage, work);
        let stops = [Shutdown::drain, Shutdown::cancel_pending].map(|how| {
            beside(&stage, move |stage| block_on(stage.engine.shutdown(how(WITHOUT_END))).stopped)
        });
        stops.into_iter().for_each(|stop| assert!(stop.join().unwrap()));
        worker.join().unwrap();
        let state = block_on(handle).state();
        assert!(matches!(state, State::Succeeded | State::Cancelled), "{state}");
        stage.must_be_at_rest();
    });
}

#[test]
fn a_task_that_is_cancelled_while_it_fails_and_is_retried_ends_once() {
    check(|| {
        let stage = Arc::new(Stage::new());
        let mut events = stage.events();
        let handle = stage.submit(twice());
        let (id, attempt) = (handle.task_id(), stage.begin());
        let failing = thread::spawn(move || attempt.finish_elsewhere(not_yet()));
        let worker = beside(&stage, work);
        handle.cancel();
        failing.join().unwrap();
        worker.join().unwrap();
        work(&stage);
        let state = block_on(handle).state();
        assert!(matches!(state, State::Succeeded | State::Cancelled), "{state}");
        stage.must_be_at_rest();
        let told = story(&mut events, id);
        assert_eq!(told.iter().filter(|word| word.starts_with("finished")).count(), 1);
        assert_eq!(told.last().unwrap(), &format!("finished {state}"));
    });
}

#[test]
fn a_task_that_is_cancelled_before_its_next_attempt_has_none() {
    check(|| {
        let stage = Arc::new(Stage::new());
        let handle = stage.submit(twice());
        let attempt = stage.begin();
        let failing = thread::spawn(move || attempt.finish_elsewhere(not_yet()));
        assert_ne!(handle.cancel(), Cancel::NotFound);
        failing.join().unwrap();
        work(&stage);
        let outcome = block_on(handle);
        assert_eq!((outcome.state(), outcome.attempts()), (State::Cancelled, 1));
        stage.must_be_at_rest();
    });
}

#[test]
fn a_task_that_fails_is_retried_or_cancelled_while_an_executor_stops() {
    for how in [Shutdown::drain, Shutdown::cancel_pending, Shutdown::abort] {
        check(move || {
            let diary = Diary::new();
            let stage = Arc::new(Stage::with(diary.recorder()));
            stage.play().stays_open = true;
            let handle = stage.submit(twice());
            let attempt = stage.begin();
            let failing = thread::spawn(move || attempt.finish_elsewhere(not_yet()));
            stage.engine.begin_shutdown(how(WITHOUT_END));
            failing.join().unwrap();
            work(&stage);
            let state = block_on(handle).state();
            let drains = how(WITHOUT_END).mode() == crate::ShutdownMode::Drain;
            assert_eq!(state == State::Succeeded, drains, "{state}");
            assert_ne!(state, State::Lost);
            assert!(block_on(stage.engine.shutdown(how(WITHOUT_END))).stopped);
            assert_eq!(diary.lines().last().unwrap(), &format!("finished {state}"));
            stage.must_be_at_rest();
        });
    }
}

#[test]
fn an_attempt_that_is_recalled_while_it_begins_or_comes_back_ends_its_task() {
    for begins in [true, false] {
        check(move || {
            let stage = Arc::new(Stage::new());
            let handle = stage.submit(TaskOptions::new());
            let attempt = stage.take();
            assert!(attempt.hand_over());
            let worker = thread::spawn(move || {
                if begins {
                    assert!(attempt.begin(&stage::worker()));
                    let asked = attempt.context().cancel_requested();
                    attempt.finish_elsewhere(if asked { not_yet() } else { Ok(reply()) });
                } else if attempt.take_back() && attempt.begin(&stage::worker()) {
                    attempt.finish_elsewhere(Ok(reply()));
                }
            });
            let answer = handle.cancel();
            worker.join().unwrap();
            let state = block_on(handle).state();
            match answer {
                Cancel::Confirmed => assert_eq!(state, State::Cancelled),
                Cancel::NotFound => assert_eq!(state, State::Succeeded),
                _ => assert!(matches!(state, State::Succeeded | State::Cancelled), "{state}"),
            }
            stage.must_be_at_rest();
        });
    }
}

/// The timer's thread, the worker and a caller.
#[test]
fn a_task_that_expires_while_it_begins_and_fails_ends_once() {
    check(|| {
        let stage = Arc::new(Stage::new());
        let handle = stage.submit(twice());
        let cell = stage.cell(&handle).upgrade().unwrap();
        let timer = thread::spawn(move || cell.expire());
        let attempt = stage.take();
        let began = attempt.begin(&stage::worker());
        if began {
            attempt.finish_elsewhere(not_yet());
        } else {
            drop(attempt);
        }
        timer.join().unwrap();
        work(&stage);
        let outcome = block_on(handle);
        assert_eq!(outcome.is_success(), began, "only the first attempt expires: {outcome:?}");
        stage.must_be_at_rest();
    });
}

#[test]
fn a_body_that_ends_while_it_is_given_up_has_one_end() {
    check(|| {
        let stage = Arc::new(Stage::new());
        stage.play().abandons = true;
        let handle = stage.submit(twice());
        let cell = stage.cell(&handle).upgrade().unwrap();
        let attempt = stage.begin();
        let timer = thread::spawn(move || cell.limit_passed(1));
        let caller = {
            let cell = stage.cell(&handle);
            thread::spawn(move || cell.upgrade().map(|cell| cell.stop(cell::StopReason::Cancel)))
        };
        attempt.finish_elsewhere(Ok(reply()));
        timer.join().unwrap();
        caller.join().unwrap();
        work(&stage);
        let state = block_on(handle).state();
        assert_ne!(state, State::Running);
        stage.must_be_at_rest();
    });
}

/// One takes the outcome, one asks for the address, one attaches by it.
#[test]
fn who_attaches_finds_the_outcome_or_is_told_that_it_is_gone() {
    check(|| {
        let stage = Arc::new(Stage::new());
        let handle = stage.submit(TaskOptions::new());
        let job = JobHandle::new(handle.task_id(), "stage");
        let worker = beside(&stage, work);
        let others = [(); 2].map(|()| {
            let job = job.clone();
            beside(&stage, move |stage| match block_on(stage.engine.attach(&job)) {
                Ok(found) => assert!(block_on(found).is_success()),
                Err(gone) => assert!(matches!(gone, AttachError::NotFound(_))),
            })
        });
        assert!(block_on(handle).is_success());
        worker.join().unwrap();
        others.into_iter().for_each(|other| other.join().unwrap());
        stage.must_be_at_rest();
    });
}

/// With the recorder at work on another thread, as it is behind `try_submit`.
#[test]
fn a_task_that_is_recorded_while_it_is_cancelled_and_the_executor_stops_ends_once() {
    check(|| {
        let diary = Diary::new();
        let stage = Arc::new(Stage::with(diary.recorder()));
        stage.play().drive = Drive::Later;
        let mut events = stage.events();
        let handle = stage.submit(TaskOptions::new());
        let id = handle.task_id();
        let recorder = beside(&stage, |stage| {
            stage.drive();
            work(stage);
            stage.drive();
        });
        let caller = beside(&stage, move |stage| block_on(stage.engine.cancel(id)));
        stage.engine.begin_shutdown(Shutdown::cancel_pending(WITHOUT_END));
        recorder.join().unwrap();
        caller.join().unwrap();
        work(&stage);
        stage.drive();
        let state = block_on(handle).state();
        assert!(matches!(state, State::Succeeded | State::Cancelled), "{state}");
        let stop = Shutdown::cancel_pending(WITHOUT_END);
        assert!(block_on(stage.engine.shutdown(stop)).stopped);
        stage.must_be_at_rest();
        let told = story(&mut events, id);
        assert_eq!(told.first().unwrap(), "submitted");
        assert_eq!(told.last().unwrap(), &format!("finished {state}"));
    });
}

/// Starts of one task on two threads: what is put aside is put aside on the right one.
#[test]
fn attempts_that_follow_at_once_are_started_on_the_thread_that_ended_the_last_one() {
    check(|| {
        let stage = Arc::new(Stage::new());
        stage.play().on_start = stage::OnStart::Fail;
        let retry = RetryPolicy::fixed(NonZeroU32::new(4).unwrap(), Duration::ZERO);
        let threads = [(); 2].map(|()| {
            let options = TaskOptions::new().retry(retry.clone());
            beside(&stage, move |stage| {
                let outcome = block_on(stage.submit(options));
                assert_eq!((outcome.state(), outcome.attempts()), (State::Failed, 4));
            })
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        stage.must_be_at_rest();
    });
}

#[test]
fn the_last_instance_that_is_allowed_is_given_once() {
    check(|| {
        let stage = Arc::new(Stage::new());
        let submit = |stage: &Stage| {
            let options = TaskOptions::new().max_instances(NonZeroU32::MIN);
            stage.engine.try_submit(Stage::task(options)).ok()
        };
        let others = [(); 2].map(|()| beside(&stage, submit));
        let handles: Vec<_> =
            others.into_iter().filter_map(|other| other.join().unwrap()).collect();
        assert_eq!(handles.len(), 1);
        work(&stage);
        assert!(handles.into_iter().map(block_on).all(|outcome| outcome.is_success()));
        assert!(submit(&stage).is_some(), "it was given back");
    });
}
