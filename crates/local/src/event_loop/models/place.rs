//! Work that is placed while a loop is replaced.

use outwork_core::{Shutdown, TaskHandle, models::check};

use shuttle::{
    rand::{Rng, thread_rng},
    thread,
};

use super::scene::{Scene, WITHOUT_END, must_succeed, state};

/// How work comes to a loop.
type Way = fn(&Scene) -> TaskHandle<()>;

/// By least load, by number and by key; the last two insist on the first loop.
const WAYS: [Way; 3] = [
    |scene| scene.pool.spawn(scene.body()),
    |scene| scene.pool.submit_to(0, scene.body()).unwrap(),
    |scene| scene.pool.submit_keyed(2, scene.body()),
];

/// Whoever brings work sees the thread that is stuck, or the one that takes over, or neither of
/// them waiting.
#[test]
fn work_that_is_placed_while_a_loop_is_replaced_is_run() {
    for at_once in [true, false] {
        place_by(&WAYS, at_once);
    }
}

/// Nobody else comes who could wake the thread that takes over.
#[test]
fn work_that_is_placed_alone_while_a_loop_is_replaced_is_run() {
    for at_once in [true, false] {
        place_by(&WAYS[1..2], at_once);
    }
}

/// Each on a thread of its own.
fn place_by(ways: &'static [Way], at_once: bool) {
    check(move || {
        let scene = Scene::new(2);
        let time = scene.time_passes();
        let stuck = scene.hold_up(0, at_once);
        let place = |place: &Way| {
            let place = *place;
            scene.beside(move |scene| {
                // Before the loop is replaced, meanwhile, or later.
                for _ in 0..thread_rng().gen_range(0..6) {
                    thread::yield_now();
                }
                must_succeed([place(scene)]);
            })
        };
        let others: Vec<_> = ways.iter().map(place).collect();
        others.into_iter().for_each(|other| other.join().unwrap());
        stuck.comes_back();
        time.stop();
        assert_eq!(scene.ran(), 1 + ways.len());
        scene.stop(Shutdown::drain(WITHOUT_END));
    });
}

/// A load that is taken off twice is less than nothing, and one that is never taken off stays.
#[test]
fn what_a_loop_has_to_do_is_counted_once_whichever_thread_ends_it() {
    check(|| {
        let scene = Scene::new(1);
        let time = scene.time_passes();
        let stuck = scene.hold_up(0, false);
        let other = scene.beside(|scene| {
            let handle = scene.pool.spawn(scene.body());
            handle.cancel();
            state(handle)
        });
        for _ in 0..4 {
            let load = scene.loads()[0];
            assert!((1..=2).contains(&load), "{load}");
        }
        other.join().unwrap();
        stuck.comes_back();
        time.stop();
        scene.stop(Shutdown::drain(WITHOUT_END));
    });
}
