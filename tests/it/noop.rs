//! The executor that runs nothing.

use std::time::Instant;

use outwork_core::{
    EventFilter, Executor, ExecutorExt, Phase, Registry, State, SubmitErrorKind, TaskDef,
    TaskOptions, blocking::block_on,
};
use outwork_local::Noop;

use crate::support::{drain, ms, outcome, register, story, story_of, submit, task, task_with};

const NEVER: TaskDef<(), ()> = TaskDef::new("never");
const UNKNOWN: TaskDef<(), ()> = TaskDef::new("unknown");

fn noop() -> Noop {
    let mut registry = Registry::new();
    register(&mut registry, NEVER, |_| panic!("a task was run that was not to be run"));
    Noop::new(registry)
}

#[test]
fn a_task_succeeds_with_the_events_of_every_executor_and_is_not_run() {
    let noop = noop();
    let mut events = noop.events(EventFilter::all());
    let handle = submit(&noop, task(NEVER));
    let id = handle.task_id();
    let outcome = outcome(handle);
    assert_eq!((outcome.state(), outcome.attempts()), (State::Succeeded, 1));
    assert_eq!(outcome.worker(), Some("noop"));
    block_on(noop.call(NEVER, &())).unwrap();
    assert_eq!(noop.status().counts.succeeded, 2);
    drain(&noop);
    let told = story(&mut events);
    assert_eq!(story_of(&told, id), ["submitted", "started", "finished succeeded"]);
}

#[test]
fn delays_and_refusals_are_those_of_every_executor() {
    let noop = noop();
    let begun = Instant::now();
    let delayed = submit(&noop, task_with(NEVER, TaskOptions::new().delay(ms(20))));
    assert_eq!(delayed.state(), State::Pending);
    assert!(outcome(delayed).is_success() && begun.elapsed() >= ms(20));
    let refused = noop.try_submit(task(UNKNOWN)).unwrap_err();
    assert_eq!(refused.kind(), SubmitErrorKind::UnknownTask);
    assert!(drain(&noop).stopped);
    assert_eq!(noop.status().phase, Phase::Stopped);
    let refused = noop.try_submit(task(NEVER)).unwrap_err();
    assert_eq!(refused.kind(), SubmitErrorKind::Closed);
    assert!(drain(&noop).stopped, "a stop can be asked for twice");
}

#[test]
fn a_task_that_waits_for_its_time_can_be_cancelled() {
    let noop = noop();
    let delayed = submit(&noop, task_with(NEVER, TaskOptions::new().delay(ms(60_000))));
    delayed.cancel();
    assert_eq!(outcome(delayed).state(), State::Cancelled);
    assert_eq!(noop.status().in_flight, 0);
    drain(&noop);
}
