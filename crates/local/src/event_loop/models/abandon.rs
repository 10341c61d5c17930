//! Loops that several find stuck: the watch, and whoever gives up a body on them.

use outwork_core::{
    BoxError, Executor, Registry, Shutdown, Task, TaskDef, TaskErrorKind, TaskOptions,
    blocking::block_on, models::check,
};
use shuttle::{
    sync::{Mutex, mpsc},
    thread,
};

use super::scene::{PERIOD, Scene, WITHOUT_END, must_succeed};

/// Each has started a thread that may have taken work, but one of them is in charge.
#[test]
fn a_loop_that_three_replace_at_once_runs_everything_once() {
    check(|| {
        let scene = Scene::new(1);
        let time = scene.time_passes();
        let stuck = scene.hold_up(0, true);
        let others = [(); 2].map(|()| {
            scene.beside(|scene| {
                let shared = &scene.pool.engine.backend().shared;
                shared.replace(&shared.slots[0], &shared.slots[0].generation());
                must_succeed([scene.pool.spawn(scene.body())]);
            })
        });
        others.into_iter().for_each(|other| other.join().unwrap());
        stuck.comes_back();
        time.stop();
        assert_eq!(scene.ran(), 3);
        scene.must_have_one_thread_each();
        scene.stop(Shutdown::drain(WITHOUT_END));
    });
}

const BODY: TaskDef<bool, u32> = TaskDef::new("model.body");

fn task(stuck: bool) -> Task {
    let options = TaskOptions::new();
    let options = if stuck { options.time_limit(PERIOD).unwrap() } else { options };
    BODY.task(&stuck).unwrap().with_options(options)
}

/// A named task whose time limit passes just when the watch finds it stuck, or it comes back.
#[test]
fn a_body_past_its_time_limit_ends_once_and_what_is_behind_it_is_run() {
    check(|| {
        let (gate, opened) = mpsc::channel::<()>();
        let (stuck, is_stuck) = mpsc::channel();
        let ends = Mutex::new(Some((stuck, opened)));
        let mut registry = Registry::new();
        let handler = move |_, stuck| {
            let ends = if stuck { ends.lock().unwrap().take() } else { None };
            async move {
                if let Some((stuck, opened)) = ends {
                    stuck.send(()).unwrap();
                    let _ = opened.recv();
                }
                Ok::<_, BoxError>(7)
            }
        };
        registry.register_async(BODY, handler).unwrap();
        let scene = Scene::with(1, registry);
        let stuck = scene.pool.try_submit(task(true)).unwrap();
        is_stuck.recv().unwrap();
        let time = scene.time_passes();
        must_succeed([scene.pool.try_submit(task(false)).unwrap()]);
        let error = block_on(stuck).into_result().unwrap_err();
        assert!(matches!(error.kind(), TaskErrorKind::TimedOut { .. }), "{error}");
        drop(gate);
        time.stop();
        scene.stop(Shutdown::drain(WITHOUT_END));
        while scene.pool.status().counts.late < 1 {
            thread::yield_now();
        }
    });
}
