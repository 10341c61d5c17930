//! What cannot be built, and what is built.

use std::{collections::BTreeSet, sync::Arc, sync::Barrier, thread, time::Duration};

use outwork_core::BuildError;
use outwork_local::{ThreadPool, ThreadPoolBuilder, ThreadPoolSettings};

use super::pool;
use crate::support::{drain, threads_of, unique, value};

fn refused(settings: ThreadPoolSettings) -> &'static str {
    match ThreadPoolBuilder::from_settings(settings).build().unwrap_err() {
        BuildError::InvalidSetting { setting, .. } => setting,
        error => panic!("refused for another reason: {error}"),
    }
}

#[test]
fn a_pool_without_threads_is_refused() {
    let settings = ThreadPoolSettings { workers: Some(0), ..ThreadPoolSettings::default() };
    assert_eq!(refused(settings), "workers");
    assert!(ThreadPool::builder().workers(0).build().is_err());
}

#[test]
fn a_pool_without_room_is_refused() {
    let settings = ThreadPoolSettings { limit: Some(0), ..ThreadPoolSettings::default() };
    assert_eq!(refused(settings), "limit");
}

#[test]
fn a_number_of_threads_beyond_all_reason_is_refused() {
    let settings = ThreadPoolSettings { workers: Some(usize::MAX), ..Default::default() };
    assert_eq!(refused(settings), "workers");
    assert!(pool(1).resize(usize::MAX).is_err());
}

#[test]
fn a_name_that_no_thread_can_have_is_refused() {
    let settings = ThreadPoolSettings { name: "a\0b".to_owned(), ..Default::default() };
    assert_eq!(refused(settings), "name");
}

#[test]
fn a_pool_for_which_a_thread_may_wait_for_ever_or_not_at_all_works() {
    for keep_alive in [Duration::ZERO, Duration::MAX] {
        let builder = ThreadPool::builder().workers(2).min_workers(0).keep_alive(keep_alive);
        let pool = builder.name(unique("t")).build().unwrap();
        for n in 0..50 {
            assert_eq!(value(pool.spawn(move || n)), n);
        }
        drain(&pool);
    }
}

#[test]
fn threads_have_the_name_of_the_pool_and_a_number() {
    let name = unique("t");
    let pool = ThreadPool::builder().workers(3).name(&name).build().unwrap();
    let meet = Arc::new(Barrier::new(3));
    let handles: Vec<_> = (0..3)
        .map(|_| {
            let meet = Arc::clone(&meet);
            pool.spawn(move || {
                meet.wait();
                thread::current().name().map(str::to_owned)
            })
        })
        .collect();
    let names: BTreeSet<_> = handles.into_iter().map(|handle| value(handle).unwrap()).collect();
    assert_eq!(names, (0..3).map(|n| format!("{name}-{n}")).collect());
    assert_eq!(threads_of(&name), 3);
}
