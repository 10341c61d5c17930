//! What the readers of events are told of closures.

use outwork_core::{EventFilter, Executor, JoinCell, Outcome, Shutdown, State, TaskError};

use super::{occupy, pool};
use crate::support::{
    Gate, LATER, drain, ms, outcome, panic_on_purpose, stop, story, story_of, value,
};

#[test]
fn the_events_of_a_pool_tell_of_each_closure_once_how_it_ended() {
    let (pool, gate) = (pool(1), Gate::new());
    let mut events = pool.events(EventFilter::all());
    let busy = occupy(&pool, 1, &gate).pop().unwrap();
    let panics = pool.spawn(|| -> () { panic_on_purpose() });
    let cancelled = pool.spawn(|| ());
    let succeeds = pool.spawn(|| ());
    let ids = [&busy, &panics, &cancelled, &succeeds].map(|handle| handle.task_id());
    cancelled.cancel();
    assert_eq!(outcome(cancelled).state(), State::Cancelled);
    gate.open();
    drain(&pool);
    let told = story(&mut events);
    let expected = [
        ["submitted", "started", "finished succeeded"].as_slice(),
        &["submitted", "started", "finished failed"],
        &["submitted", "finished cancelled"],
        &["submitted", "started", "finished succeeded"],
    ];
    for (id, expected) in ids.into_iter().zip(expected) {
        assert_eq!(story_of(&told, id), expected);
    }
    assert_eq!(told.len(), 11);
}

#[test]
fn the_events_of_a_pool_tell_of_closures_that_a_shutdown_ends() {
    let (pool, gate) = (pool(1), Gate::new());
    let mut events = pool.events(EventFilter::all());
    let stuck = occupy(&pool, 1, &gate).pop().unwrap();
    let queued = pool.spawn(|| ());
    let ids = [stuck.task_id(), queued.task_id()];
    stop(&pool, Shutdown::abort(ms(50)));
    let told = story(&mut events);
    assert_eq!(story_of(&told, ids[0]), ["submitted", "started", "finished lost"]);
    assert_eq!(story_of(&told, ids[1]), ["submitted", "finished cancelled"]);
    assert_eq!(outcome(stuck).state(), State::Lost);
    gate.open();
}

#[test]
fn a_handle_tells_the_events_of_its_closure_from_then_on() {
    let (pool, gate) = (pool(1), Gate::new());
    let busy = occupy(&pool, 1, &gate).pop().unwrap();
    let queued = pool.spawn(|| ());
    let cancelled = pool.spawn(|| ());
    let mut of_busy = busy.events();
    let mut of_queued = [queued.events(), queued.events()];
    let mut of_cancelled = cancelled.events();
    cancelled.cancel();
    gate.open();
    value(busy);
    let id = queued.task_id();
    value(queued);
    let words =
        |told: Vec<(_, String)>| told.into_iter().map(|(_, words)| words).collect::<Vec<_>>();
    assert_eq!(words(story(&mut of_busy)), ["finished succeeded"]);
    for events in &mut of_queued {
        let told = story(events);
        assert!(told.iter().all(|(task, _)| *task == id));
        assert_eq!(words(told), ["started", "finished succeeded"]);
    }
    assert_eq!(words(story(&mut of_cancelled)), ["finished cancelled"]);
}

#[test]
fn the_events_of_a_closure_that_has_ended_are_none() {
    let pool = pool(1);
    let mut handle = pool.spawn(|| ());
    let ended = outwork_core::blocking::block_on_for(handle.ended(), Some(LATER));
    ended.unwrap();
    assert_eq!(story(&mut handle.events()), []);
}

#[test]
fn the_id_of_a_closure_does_not_change() {
    let (pool, gate) = (pool(1), Gate::new());
    let busy = occupy(&pool, 1, &gate).pop().unwrap();
    let other = pool.spawn(|| ());
    let id = busy.task_id();
    assert_ne!(id, other.task_id());
    assert_eq!((busy.task_id(), busy.job_handle().id()), (id, id));
    gate.open();
    assert_eq!(busy.task_id(), id);
    value(other);
    assert_eq!(busy.task_id(), id);
}

#[test]
fn nobody_can_attach_to_a_closure() {
    let pool = pool(1);
    let handle = pool.spawn(|| ());
    let job = handle.job_handle();
    value(handle);
    let attached = outwork_core::blocking::block_on(pool.attach(&job));
    assert!(attached.is_err());
}

#[test]
fn a_task_that_was_given_up_before_it_began_never_begins() {
    let cell = JoinCell::<u32, &str>::new("body");
    let lost = || Outcome::bare(Err(TaskError::cancelled()));
    assert!(cell.complete(lost()).is_ok());
    assert_eq!(cell.begin(), None);
    assert_eq!(cell.state(), State::Cancelled);
    assert!(cell.complete(Outcome::bare(Ok(1))).is_err());
    assert!(cell.complete_pending(lost()).is_err());
}
