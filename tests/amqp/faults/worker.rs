//! Workers that are killed, and the processes of their pools.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use outwork_amqp::{AmqpWorker, ConnectOptions};
use outwork_core::{
    BoxError, Executor, LossReason, Registry, State, TaskDef, TaskErrorKind, TaskOptions,
    blocking::block_on,
};
use outwork_local::{ProcessPool, ThreadPool};
use outwork_test_broker::Broker;

use super::{
    scene::{Bodies, HELD, RUN, pool},
    victim::{Part, Victim},
};
use crate::proxy::{Moment, Proxy};
use crate::support::{
    PATIENCE, Place, left,
    tasks::{self, DIE, DIE_ONCE, Death, PID, SLEEP},
    until,
};

/// Adds a line to the file of its number in a folder.
const NOTE: TaskDef<(PathBuf, u64), ()> = TaskDef::new("fault.note");

/// How many tasks there are.
const MANY: u64 = 60;

/// How many of them a worker has in hand.
const IN_HAND: u16 = 4;

fn notes(folder: &Path, number: u64) -> usize {
    fs::read_to_string(folder.join(number.to_string())).map_or(0, |text| text.lines().count())
}

fn noting() -> Arc<dyn Executor> {
    let mut registry = Registry::new();
    registry
        .register(NOTE, |_, (folder, number): (PathBuf, u64)| {
            let mut file = fs::OpenOptions::new();
            let file = file.create(true).append(true).open(folder.join(number.to_string()));
            writeln!(file?, "run")?;
            std::thread::sleep(Duration::from_millis(30));
            Ok::<_, BoxError>(())
        })
        .unwrap();
    Arc::new(ThreadPool::builder().registry(registry).workers(2).build().unwrap())
}

/// A pool of the processes that the other tests have.
pub fn processes(workers: usize) -> Arc<dyn Executor> {
    let pool = ProcessPool::builder().program(env!("CARGO_BIN_EXE_child")).workers(workers);
    Arc::new(pool.registry(tasks::registry()).build().unwrap())
}

fn play(part: Part, pool: Arc<dyn Executor>) {
    let worker = AmqpWorker::builder(part.options, pool)
        .queue(part.queue)
        .prefetch(IN_HAND.try_into().unwrap());
    let worker = block_on(worker.start()).unwrap();
    Part::wait_for_the_end();
    drop(worker);
}

#[test]
pub fn the_tasks_of_a_worker_that_was_killed_are_run_by_another() {
    if let Some(part) = Part::of_this_process() {
        return play(part, noting());
    }
    let place = Place::new();
    let folder = tempfile::tempdir().unwrap();
    let test = "faults::worker::the_tasks_of_a_worker_that_was_killed_are_run_by_another";
    let mut victim = Victim::start(test, &place);
    victim.wait_ready();
    let client = place.client();
    let submit = |number: u64| {
        let task = NOTE.task(&(folder.path().to_owned(), number)).unwrap();
        block_on(client.submit(task)).unwrap()
    };
    let handles: Vec<_> = (0..MANY).map(submit).collect();
    until("it is in the middle", || notes(folder.path(), MANY / 3) > 0);
    victim.kill();
    let worker = block_on(place.worker_builder(noting()).start()).unwrap();
    for mut handle in handles {
        assert!(handle.wait_timeout(2 * PATIENCE).unwrap().is_success());
    }
    let runs: Vec<_> = (0..MANY).map(|number| notes(folder.path(), number)).collect();
    let twice = runs.iter().filter(|runs| **runs == 2).count();
    println!("{twice} tasks were run twice");
    assert!(runs.iter().all(|runs| matches!(runs, 1 | 2)), "{runs:?}");
    assert!(twice <= usize::from(IN_HAND), "more than it had in hand: {runs:?}");
    block_on(worker.drain(PATIENCE));
    assert_eq!((left(&place, "q"), left(&place, "dead")), (0, 0));
}

#[test]
fn what_is_given_back_and_comes_to_the_same_worker_again_is_not_lost() {
    let broker = Broker::shared().unwrap();
    let place = Place::on(&broker);
    let proxy = Proxy::before(broker.address());
    let bodies = Bodies::shared();
    let options = ConnectOptions::new(&proxy.url(place.space.url())).unwrap();
    let worker = AmqpWorker::builder(options, pool(&bodies)).queue(place.queue.clone());
    let worker = block_on(worker.prefetch(10.try_into().unwrap()).start()).unwrap();
    let client = place.client();
    // Two that keep both threads of the pool busy, and one that waits for them.
    let submit = |number: u64| block_on(client.submit(RUN.task(&number).unwrap())).unwrap();
    let handles: Vec<_> = [HELD, HELD, 1].map(submit).into();
    until("all are in hand", || worker.status().in_hand == 3 && bodies.runs_of(HELD) == 2);
    // The broker does not learn that the worker wants no more, until this does not wait for that
    // any longer. Then it brings the worker what that gives back, before it is known to have
    // arrived.
    let leaves = proxy.hold_at(Moment::Leave, 0);
    std::thread::scope(|scope| {
        let draining = scope.spawn(|| block_on(worker.drain(PATIENCE)));
        let consuming = leaves.wait(PATIENCE);
        let publishing = proxy.hold_at(Moment::Confirm, 0).wait(PATIENCE);
        consuming.let_go();
        until("it has come again", || worker.status().copies == 1);
        publishing.let_go();
        bodies.let_go();
        draining.join().unwrap();
    });
    drop(worker);
    let _other = block_on(place.worker_builder(pool(&bodies)).start()).unwrap();
    for mut handle in handles {
        assert!(handle.wait_timeout(PATIENCE).unwrap().is_success());
    }
    assert_eq!(bodies.runs_of(1), 1);
}

#[test]
fn nothing_is_left_of_a_worker_that_was_killed_with_its_pool() {
    if let Some(part) = Part::of_this_process() {
        return play(part, processes(2));
    }
    let place = Place::new();
    let test = "faults::worker::nothing_is_left_of_a_worker_that_was_killed_with_its_pool";
    let mut victim = Victim::start(test, &place);
    victim.wait_ready();
    let client = place.client();
    let mut pid = block_on(client.submit(PID.task(&()).unwrap())).unwrap().decoded::<u32>();
    let pid = pid.wait_timeout(PATIENCE).unwrap().into_result().unwrap();
    let parent = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let parent = parent.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().to_owned();
    assert_eq!(parent, victim.id().to_string());
    let running = block_on(client.submit(SLEEP.task(&500).unwrap())).unwrap();
    victim.kill();
    until("its process is gone", || !Path::new(&format!("/proc/{pid}")).exists());
    let _worker = block_on(place.worker_builder(processes(1)).start()).unwrap();
    let mut running = running;
    assert!(running.wait_timeout(2 * PATIENCE).unwrap().is_success());
}

#[test]
pub fn a_process_of_the_pool_that_is_killed_takes_its_task_along_and_no_other() {
    let place = Place::new();
    let worker = block_on(place.worker_builder(processes(2)).start()).unwrap();
    let client = place.client();
    let task = DIE.task(&(Death::Kill, 50, bytes::Bytes::new())).unwrap();
    let mut killed = block_on(client.submit(task)).unwrap();
    let mut others: Vec<_> =
        (0..20).map(|_| block_on(client.submit(SLEEP.task(&10).unwrap())).unwrap()).collect();
    let outcome = killed.wait_timeout(PATIENCE).unwrap();
    assert_eq!(outcome.state(), State::Lost);
    match outcome.error().unwrap().kind() {
        TaskErrorKind::WorkerLost(lost) => {
            assert_eq!((lost.reason, lost.signal), (LossReason::Died, Some(9)));
        }
        other => panic!("{other:?}"),
    }
    assert!(others.iter_mut().all(|handle| handle.wait_timeout(PATIENCE).unwrap().is_success()));
    // One that may be run again is.
    let folder = tempfile::tempdir().unwrap();
    let twice = std::num::NonZeroU32::new(2).unwrap();
    let options = TaskOptions::new()
        .idempotent(true)
        .retry(outwork_core::RetryPolicy::fixed(twice, Duration::ZERO));
    let task = DIE_ONCE.task(&folder.path().join("runs")).unwrap().with_options(options);
    let mut again = block_on(client.submit(task)).unwrap();
    let outcome = again.wait_timeout(PATIENCE).unwrap();
    assert!(outcome.is_success(), "{outcome:?}");
    until("nothing is in hand", || worker.status().in_hand == 0);
}
