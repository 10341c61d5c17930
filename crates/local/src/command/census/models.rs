//! A pause stops every program, whoever starts, ends or pauses meanwhile, and nobody waits for
//! ever.
//!
//! The system is played: it knows which programs live and which are stopped, and sees to it that
//! nobody signals a program that was reaped, whose number may be another's by then.

use std::{collections::HashMap, sync::Arc};

use outwork_core::models::check;
use shuttle::{
    sync::{
        Condvar, Mutex,
        atomic::{AtomicI32, Ordering},
    },
    thread,
};

use super::*;

const LONG: Duration = Duration::from_secs(3600);

/// The system, as far as a pause sees it.
#[derive(Default)]
struct Played {
    programs: Mutex<HashMap<Pid, Program>>,
    /// Programs that are stuck on their way to their `exec` are let go on.
    freed: Mutex<bool>,
    frees: Condvar,
    next: AtomicI32,
}

/// A program that was not reaped yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Program {
    Runs,
    Stopped,
    Killed,
}

impl Signals for Arc<Played> {
    fn send(&self, group: Pid, signal: Signal) {
        let mut programs = self.programs.lock().unwrap();
        let program = programs.get_mut(&group).expect("a program is signalled that was reaped");
        *program = match signal {
            _ if *program == Program::Killed => Program::Killed,
            Signal::STOP => Program::Stopped,
            _ => Program::Runs,
        };
    }

    fn free_unborn(&self, _known: &HashSet<Pid>) {
        *self.freed.lock().unwrap() = true;
        self.frees.notify_all();
    }
}

impl Played {
    fn spawn(&self) -> Pid {
        let pid = Pid::from_raw(1 + self.next.fetch_add(1, Ordering::SeqCst)).unwrap();
        self.programs.lock().unwrap().insert(pid, Program::Runs);
        pid
    }

    /// A program that comes to its `exec` only when it is freed.
    fn spawn_stuck(&self) -> Pid {
        let freed = self.freed.lock().unwrap();
        drop(self.frees.wait_while(freed, |freed| !*freed).unwrap());
        self.spawn()
    }
}

/// A census of programs that the model plays.
#[derive(Clone)]
struct Scene {
    census: Arc<Census<Arc<Played>>>,
    system: Arc<Played>,
}

impl Scene {
    fn new(patience: Duration) -> Self {
        let system = Arc::<Played>::default();
        Self { census: Arc::new(Census::new(Arc::clone(&system), patience)), system }
    }

    fn beside<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> thread::JoinHandle<T> {
        let scene = self.clone();
        thread::spawn(move || run(&scene))
    }

    fn start(&self) -> Pid {
        self.census.start(|| Ok(self.system.spawn()), |pid| *pid).unwrap()
    }

    fn reap(&self, pid: Pid) {
        self.census.reap(pid, || ((), self.system.programs.lock().unwrap().remove(&pid).is_some()));
    }

    /// A program that is killed and reaped by a thread of its own.
    fn reap_elsewhere(&self, pid: Pid) {
        self.system.programs.lock().unwrap().insert(pid, Program::Killed);
        self.census.forget(pid);
        self.system.programs.lock().unwrap().remove(&pid);
    }

    fn has_any(&self, what: Program) -> bool {
        self.system.programs.lock().unwrap().values().any(|program| *program == what)
    }

    /// Pauses, and sees that all are stopped and none is started before it is over.
    fn pause(&self) {
        let pause = self.census.pause();
        let before = self.system.next.load(Ordering::SeqCst);
        thread::yield_now();
        assert!(!self.has_any(Program::Runs));
        assert_eq!(self.system.next.load(Ordering::SeqCst), before);
        drop(pause);
    }

    /// Nothing is stopped once all pauses are over, and what was started lives.
    fn must_go_on(&self, living: usize) {
        assert!(!self.has_any(Program::Stopped));
        let state = self.census.lock();
        assert_eq!((state.leaders.len(), state.starting, state.paused), (living, 0, false));
        assert_eq!(self.system.programs.lock().unwrap().len(), living);
    }
}

#[test]
fn every_program_is_stopped_while_a_pause_lasts_and_none_after_it() {
    check(|| {
        let scene = Scene::new(LONG);
        scene.start();
        let starters = [(); 2].map(|()| scene.beside(Scene::start));
        scene.pause();
        for starter in starters {
            starter.join().unwrap();
        }
        scene.must_go_on(3);
    });
}

#[test]
fn pauses_come_one_after_the_other() {
    check(|| {
        let scene = Scene::new(LONG);
        let others = [(); 2].map(|()| scene.beside(Scene::pause));
        let starter = scene.beside(Scene::start);
        scene.pause();
        others.into_iter().for_each(|other| other.join().unwrap());
        starter.join().unwrap();
        scene.must_go_on(1);
    });
}

/// Its number may be another program's at once.
#[test]
fn a_program_that_was_reaped_gets_no_signal() {
    for reap in [Scene::reap, Scene::reap_elsewhere] {
        check(move || {
            let scene = Scene::new(LONG);
            let pids = [scene.start(), scene.start()];
            let reaper = scene.beside(move |scene| reap(scene, pids[0]));
            scene.pause();
            reaper.join().unwrap();
            scene.must_go_on(1);
        });
    }
}

/// Nothing else lets the starting thread go on.
#[test]
fn a_start_that_hangs_is_freed_by_a_pause() {
    check(|| {
        let scene = Scene::new(LONG);
        let starter = scene.beside(|scene| {
            scene.census.start(|| Ok(scene.system.spawn_stuck()), |pid| *pid).unwrap()
        });
        while scene.census.lock().starting == 0 {
            thread::yield_now();
        }
        scene.pause();
        starter.join().unwrap();
        scene.must_go_on(1);
    });
}

/// Such a program is stopped by whoever started it, unless the pause is over by then.
#[test]
fn a_program_whose_start_a_pause_did_not_wait_for_is_stopped_too() {
    check(|| {
        let scene = Scene::new(Duration::ZERO);
        let starter = scene.beside(Scene::start);
        let pause = scene.census.pause();
        let was_starting = scene.census.lock().starting > 0;
        if was_starting {
            // Its start ends although there is a pause.
            starter.join().unwrap();
            assert!(scene.has_any(Program::Stopped));
            drop(pause);
        } else {
            drop(pause);
            starter.join().unwrap();
        }
        scene.must_go_on(1);
    });
}

#[test]
fn a_program_that_is_born_when_a_pause_ends_goes_on() {
    check(|| {
        let scene = Scene::new(Duration::ZERO);
        let starters = [(); 2].map(|()| scene.beside(Scene::start));
        drop(scene.census.pause());
        for starter in starters {
            starter.join().unwrap();
        }
        scene.must_go_on(2);
    });
}

/// It counts no longer as being started.
#[test]
fn a_start_that_fails_keeps_nobody_waiting() {
    check(|| {
        let scene = Scene::new(LONG);
        let starter = scene.beside(|scene| {
            let failed = || Err::<Pid, _>(io::ErrorKind::NotFound.into());
            scene.census.start(failed, |pid| *pid).unwrap_err();
        });
        scene.pause();
        starter.join().unwrap();
        scene.must_go_on(0);
    });
}
