//! What the readers of events are told of futures.

use std::sync::mpsc;

use outwork_core::{EventFilter, Executor, State};

use super::{block_loop, linger, pool};
use crate::support::{Gate, drain, outcome, panic_on_purpose, receive, story, story_of, value};

#[test]
fn the_events_of_a_pool_tell_of_each_future_once_how_it_ended() {
    let (pool, gate) = (pool(1), Gate::new());
    let mut events = pool.events(EventFilter::all());
    let (send, threads) = mpsc::channel();
    let pending = pool.spawn(linger(Gate::new(), send));
    receive("the thread", &threads);
    let blocking = block_loop(&pool, 0, &gate);
    let queued = pool.spawn(async {});
    let panics = pool.spawn(async { panic_on_purpose() });
    let ids = [&blocking, &pending, &queued, &panics].map(|handle| handle.task_id());
    pending.cancel();
    queued.cancel();
    gate.open();
    value(blocking);
    assert_eq!(outcome(pending).state(), State::Cancelled);
    assert_eq!(outcome(queued).state(), State::Cancelled);
    assert_eq!(outcome(panics).state(), State::Failed);
    drain(&pool);
    let told = story(&mut events);
    let expected = [
        ["submitted", "started", "finished succeeded"].as_slice(),
        &["submitted", "started", "finished cancelled"],
        &["submitted", "finished cancelled"],
        &["submitted", "started", "finished failed"],
    ];
    for (id, expected) in ids.into_iter().zip(expected) {
        assert_eq!(story_of(&told, id), expected);
    }
}

#[test]
fn a_handle_tells_the_events_of_its_future_from_then_on() {
    let (pool, gate) = (pool(1), Gate::new());
    let blocking = block_loop(&pool, 0, &gate);
    let queued = pool.spawn(async {});
    let (mut events, id) = (queued.events(), queued.task_id());
    gate.open();
    value(blocking);
    value(queued);
    let told = story(&mut events);
    assert_eq!(story_of(&told, id), ["started", "finished succeeded"]);
    assert_eq!(told.len(), 2);
}
