//! What cannot be built.

use outwork_core::{BuildError, Executor};
use outwork_local::{BackgroundLoop, EventLoopPool, EventLoopPoolBuilder, EventLoopSettings};

use crate::support::{drain, threads_of, unique, value, wait_until};

fn refused(settings: EventLoopSettings) -> &'static str {
    match EventLoopPoolBuilder::from_settings(settings).build().unwrap_err() {
        BuildError::InvalidSetting { setting, .. } => setting,
        error => panic!("refused for another reason: {error}"),
    }
}

#[test]
fn a_pool_without_loops_is_refused() {
    assert_eq!(refused(EventLoopSettings { loops: Some(0), ..Default::default() }), "loops");
    assert!(EventLoopPool::builder().loops(0).build().is_err());
}

#[test]
fn a_pool_without_room_is_refused() {
    assert_eq!(refused(EventLoopSettings { limit: Some(0), ..Default::default() }), "limit");
}

#[test]
fn a_number_of_loops_beyond_all_reason_is_refused() {
    let settings = EventLoopSettings { loops: Some(usize::MAX), ..Default::default() };
    assert_eq!(refused(settings), "loops");
}

#[test]
fn a_name_that_no_thread_can_have_is_refused() {
    let settings = EventLoopSettings { name: "a\0b".to_owned(), ..Default::default() };
    assert_eq!(refused(settings.clone()), "name");
    assert!(BackgroundLoop::from_builder(EventLoopPoolBuilder::from_settings(settings)).is_err());
}

#[test]
fn times_that_are_zero_or_endless_do_no_harm() {
    use std::time::Duration;
    for time in [Duration::ZERO, Duration::MAX] {
        let builder = EventLoopPool::builder().loops(1).stall_after(time).replace_after(time);
        let pool = builder.name(unique("l")).build().unwrap();
        for n in 0..100 {
            assert_eq!(value(pool.spawn(async move { n })), n);
        }
        drain(&pool);
    }
}

#[test]
fn each_loop_is_one_thread_that_leaves_with_the_pool() {
    let (pool, name) = super::named(3);
    assert_eq!((pool.loops(), pool.status().workers, threads_of(&name)), (3, 3, 3));
    drain(&pool);
    wait_until("the threads have left", || threads_of(&name) == 0);
}
