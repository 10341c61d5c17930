//! Pools that stop while a loop is replaced.

use std::future::pending;

use outwork_core::{
    Shutdown, State,
    engine::{Backend, Close},
    models::check,
};

use shuttle::sync::mpsc;

use super::scene::{Scene, Stuck, WITHOUT_END, must_succeed, state};

/// What is behind the stuck body is run or cancelled, and not both; what comes too late is
/// neither. The thread that takes over leaves as well.
#[test]
fn a_pool_that_stops_while_a_loop_is_replaced_ends_what_it_was_given_once() {
    for how in [Shutdown::drain, Shutdown::cancel_pending] {
        check(move || {
            let scene = Scene::new(1);
            let time = scene.time_passes();
            let Stuck { handle, gate } = scene.begin_to_hold_up(0, false);
            let handles = [handle, scene.pool.spawn(scene.body())];
            let late = scene.beside(|scene| state(scene.pool.spawn(scene.body())));
            let opener = shuttle::thread::spawn(move || drop(gate));
            scene.stop(how(WITHOUT_END));
            time.stop();
            opener.join().unwrap();
            let states = handles.map(state);
            let all = [states[0], states[1], late.join().unwrap()];
            let succeeded = all.iter().filter(|state| **state == State::Succeeded).count();
            assert_eq!(scene.ran(), succeeded, "{all:?}");
            if how(WITHOUT_END) == Shutdown::drain(WITHOUT_END) {
                assert_eq!(states, [State::Succeeded; 2]);
            }
        });
    }
}

/// The thread that takes over has begun, and may not be in charge yet when the pool stops.
#[test]
fn a_body_that_never_ends_is_stopped_on_a_thread_that_has_only_just_taken_over() {
    check(|| {
        let scene = Scene::new(1);
        let time = scene.time_passes();
        let stuck = scene.hold_up(0, true);
        let (begun, has_begun) = mpsc::channel();
        let endless = scene.pool.spawn(async move {
            begun.send(()).unwrap();
            pending::<()>().await;
        });
        has_begun.recv().unwrap();
        scene.pool.engine.begin_shutdown(Shutdown::abort(WITHOUT_END));
        assert_eq!(state(endless), State::Cancelled);
        stuck.is_let_go();
        time.stop();
        scene.stop(Shutdown::abort(WITHOUT_END));
    });
}

/// Either who stops the pool sees the body, or its loop sees that the pool stops.
#[test]
fn a_body_that_begins_while_its_pool_stops_is_stopped() {
    check(|| {
        let scene = Scene::new(1);
        let endless = scene.pool.spawn(pending::<()>());
        scene.stop(Shutdown::abort(WITHOUT_END));
        assert_eq!(state(endless), State::Cancelled);
    });
}

/// Both bodies stay stuck until their handles have an end, with the second thread still in charge
/// or replaced as well.
#[test]
fn bodies_that_are_given_up_while_their_loop_is_replaced_have_one_end() {
    for twice in [false, true] {
        check(move || {
            let scene = Scene::new(1);
            let time = scene.time_passes();
            let stuck = [(); 2].map(|()| scene.hold_up(0, true));
            if twice {
                must_succeed([scene.pool.spawn(scene.body())]);
            }
            let other = scene.beside(|scene| scene.pool.engine.backend().close(Close::Abandon));
            scene.pool.engine.begin_shutdown(Shutdown::abort(WITHOUT_END));
            let gates = stuck.map(|Stuck { handle, gate }| {
                assert_eq!(state(handle), State::Lost);
                gate
            });
            other.join().unwrap();
            drop(gates);
            time.stop();
            scene.stop(Shutdown::abort(WITHOUT_END));
        });
    }
}
