//! Loops that are stuck, or only seem to be.

use outwork_core::{Shutdown, models::check};

use shuttle::{sync::mpsc, thread};

use super::scene::{Scene, Stuck, WITHOUT_END, must_succeed};

/// The watch may find the same beat at two looks, and the loop come back before it is replaced.
#[test]
fn a_loop_that_is_judged_stuck_while_it_comes_back_loses_nothing() {
    for loops in [1, 2] {
        check(move || {
            let scene = Scene::new(loops);
            let time = scene.time_passes();
            let other = scene.beside(|scene| must_succeed([scene.pool.spawn(scene.body())]));
            must_succeed([(); 2].map(|()| scene.pool.spawn(scene.body())));
            other.join().unwrap();
            time.stop();
            assert_eq!(scene.ran(), 3);
            scene.must_have_one_thread_each();
            scene.stop(Shutdown::drain(WITHOUT_END));
        });
    }
}

/// An await may last.
#[test]
fn a_loop_whose_bodies_wait_is_left_alone() {
    check(|| {
        let scene = Scene::new(1);
        let (open, opened) = async_channel::bounded::<()>(1);
        let (begun, has_begun) = mpsc::channel();
        let waits = scene.pool.spawn(async move {
            begun.send(()).unwrap();
            opened.recv().await.unwrap();
        });
        has_begun.recv().unwrap();
        while scene.is_polling() {
            thread::yield_now();
        }
        let time = scene.time_passes();
        for _ in 0..3 {
            thread::yield_now();
        }
        assert_eq!(scene.replaced(), 0);
        open.try_send(()).unwrap();
        must_succeed([waits]);
        time.stop();
        scene.stop(Shutdown::drain(WITHOUT_END));
    });
}

/// What is behind a stuck body is run by the thread that takes over: nothing else lets the stuck
/// one go on.
#[test]
fn what_waits_behind_a_stuck_body_is_run_by_another_thread() {
    for at_once in [true, false] {
        check(move || {
            let scene = Scene::new(1);
            let time = scene.time_passes();
            let stuck = scene.hold_up(0, at_once);
            must_succeed([(); 2].map(|()| scene.pool.spawn(scene.body())));
            stuck.comes_back();
            time.stop();
            assert_eq!(scene.ran(), 3);
            scene.must_have_one_thread_each();
            scene.stop(Shutdown::drain(WITHOUT_END));
        });
    }
}

/// The second body sticks on the thread that took over from the first.
#[test]
fn a_loop_that_is_stuck_twice_goes_on_twice() {
    for at_once in [true, false] {
        check(move || {
            let scene = Scene::new(1);
            let time = scene.time_passes();
            let stuck = [(); 2].map(|()| scene.hold_up(0, at_once));
            must_succeed([scene.pool.spawn(scene.body())]);
            stuck.into_iter().for_each(Stuck::comes_back);
            time.stop();
            assert_eq!(scene.ran(), 3);
            scene.must_have_one_thread_each();
            scene.stop(Shutdown::drain(WITHOUT_END));
        });
    }
}

/// The watch sleeps while nothing is in flight, and whoever brings work wakes it: the stuck body
/// itself, since nothing else comes.
#[test]
fn a_loop_that_is_stuck_when_the_watch_has_gone_to_sleep_is_seen() {
    check(|| {
        let scene = Scene::new(1);
        let time = scene.time_passes();
        must_succeed([scene.pool.spawn(scene.body())]);
        let stuck = scene.hold_up(0, true);
        while scene.replaced() == 0 {
            thread::yield_now();
        }
        stuck.comes_back();
        time.stop();
        scene.stop(Shutdown::drain(WITHOUT_END));
    });
}
