//! [`Scene`]: a worker and a client, each behind a proxy, and what their tasks have done.

use std::{
    collections::HashMap,
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

use outwork_amqp::{AmqpExecutor, AmqpExecutorBuilder, AmqpWorker, ConnectOptions, QueueKind};
use outwork_core::{
    BoxError, EventFilter, EventKind, EventStream, Executor, Registry, SubmitErrorKind, TaskDef,
    TaskHandle, TaskId, blocking::block_on,
};
use outwork_local::ThreadPool;
use outwork_test_broker::Broker;

use crate::{
    proxy::Proxy,
    support::{PATIENCE, Place, left, until},
};

/// The longest pause before a lost connection is made again.
pub const BACKOFF: Duration = Duration::from_millis(500);

/// Counts that it was run; the one with the number [`HELD`] waits to be let go.
pub const RUN: TaskDef<u64, u64> = TaskDef::new("fault.run");

/// The number of the task whose body waits.
pub const HELD: u64 = 0;

/// A worker and a client, each behind a proxy.
pub struct Scene {
    pub place: Place,
    pub of_client: Proxy,
    pub of_worker: Proxy,
    pub worker: AmqpWorker,
    pub client: AmqpExecutor,
    ends: EventStream,
    bodies: Arc<Bodies>,
}

/// What the bodies have done.
#[derive(Debug, Default)]
pub struct Bodies {
    runs: Mutex<HashMap<u64, u32>>,
    open: Mutex<bool>,
    opened: Condvar,
}

impl Bodies {
    fn run(&self, number: u64) {
        *self.runs.lock().unwrap().entry(number).or_default() += 1;
        if number == HELD {
            let open = self.open.lock().unwrap();
            drop(self.opened.wait_timeout_while(open, 2 * PATIENCE, |open| !*open).unwrap());
        }
        std::thread::sleep(Duration::from_millis(6));
    }

    pub fn shared() -> Arc<Self> {
        Arc::default()
    }

    pub fn let_go(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }

    pub fn runs_of(&self, number: u64) -> u32 {
        self.runs.lock().unwrap().get(&number).copied().unwrap_or(0)
    }
}

/// A pool whose bodies tell what they have done.
pub fn pool(bodies: &Arc<Bodies>) -> Arc<dyn Executor> {
    let mut registry = Registry::new();
    let bodies = Arc::clone(bodies);
    registry
        .register(RUN, move |_, number| {
            bodies.run(number);
            Ok::<_, BoxError>(number)
        })
        .unwrap();
    Arc::new(ThreadPool::builder().registry(registry).workers(2).build().unwrap())
}

impl Scene {
    pub fn new(broker: &Broker, kind: QueueKind, heartbeat: Duration) -> Self {
        let place = Place::on(broker);
        let (of_client, of_worker) =
            (Proxy::before(broker.address()), Proxy::before(broker.address()));
        let bodies = Bodies::shared();
        let worker =
            AmqpWorker::builder(options(&place, Some(&of_worker), heartbeat), pool(&bodies))
                .queue(place.queue.clone())
                .queue_kind(kind);
        let worker = block_on(worker.start()).unwrap();
        let client = block_on(builder(&place, Some(&of_client), heartbeat).connect()).unwrap();
        let ends = client.events(EventFilter::all());
        let scene = Self { place, of_client, of_worker, worker, client, ends, bodies };
        scene.bodies.let_go();
        scene.answers(&scene.client, "before anything breaks");
        *scene.bodies.open.lock().unwrap() = false;
        scene
    }

    pub fn bodies(&self) -> &Bodies {
        &self.bodies
    }

    /// Submits tasks with these numbers beside each other; those that were accepted.
    pub fn submit(&self, numbers: std::ops::Range<u64>) -> Vec<(u64, TaskHandle)> {
        std::thread::scope(|scope| {
            let submit = |number: u64| {
                let task = RUN.task(&number).unwrap();
                scope.spawn(move || (number, block_on(self.client.submit(task))))
            };
            let submitting: Vec<_> = numbers.map(submit).collect();
            let answers = submitting.into_iter().map(|thread| thread.join().unwrap());
            let accepted = answers.filter_map(|(number, answer)| match answer {
                Ok(handle) => Some((number, handle)),
                Err(error) => {
                    // Nothing was promised, and the task was given back.
                    assert_eq!(error.kind(), SubmitErrorKind::Unconfirmed, "{error}");
                    None
                }
            });
            accepted.collect()
        })
    }

    /// Waits until tasks are run and answered again; how long it took until the broker could be
    /// used, and from there until the worker had answered.
    pub fn until_it_works(&self) -> (Duration, Duration) {
        let start = Instant::now();
        // A broker that has just been started may not have its virtual hosts yet.
        let observer = loop {
            match block_on(builder(&self.place, None, PATIENCE).connect()) {
                Ok(client) => break client,
                Err(error) => assert!(start.elapsed() < PATIENCE, "{error}"),
            }
        };
        let usable = start.elapsed();
        self.answers(&observer, "after all was mended");
        (usable, start.elapsed().saturating_sub(usable))
    }

    fn answers(&self, client: &AmqpExecutor, when: &str) {
        let start = Instant::now();
        let mut handle = block_on(client.submit(RUN.task(&u64::MAX).unwrap())).unwrap();
        println!("accepted after {:?} {when}", start.elapsed());
        for _ in 0..30 {
            match handle.wait_timeout(PATIENCE / 10) {
                Ok(outcome) => return assert!(outcome.is_success(), "{outcome:?} {when}"),
                Err(_) => println!("no answer yet {when}: {:?}", self.worker.status()),
            }
        }
        panic!("no answer {when}");
    }

    /// Holds everything that was promised against what has become of it.
    pub fn conclude(mut self, handles: Vec<(u64, TaskHandle)>) {
        let accepted = handles.len();
        let ids: Vec<_> = handles.iter().map(|(_, handle)| handle.task_id()).collect();
        for (number, handle) in handles {
            let outcome = handle.decoded::<u64>().wait_timeout(2 * PATIENCE);
            let outcome = outcome.unwrap_or_else(|_| panic!("task {number} has no outcome"));
            assert_eq!(outcome.into_result().unwrap(), number);
            // One worker, which was there all the time, has seen every copy.
            assert_eq!(self.bodies.runs_of(number), 1, "task {number} was run so often");
        }
        until("nothing is in flight", || self.client.status().in_flight == 0);
        let ends = ends(&mut self.ends, accepted + 1);
        assert!(ids.iter().all(|id| ends.get(id) == Some(&1)), "{ends:?}");
        // Copies of what was answered already come up as well, and are not run.
        until("no copy is left in the queue", || left(&self.place, "q") == 0);
        let report = block_on(self.worker.drain(PATIENCE));
        assert_eq!((report.given_back, report.abandoned), (0, 0), "{report:?}");
        assert_eq!(left(&self.place, "q"), 0, "tasks are left in the queue");
        assert_eq!(left(&self.place, "dead"), 0, "tasks are dead");
    }
}

fn options(place: &Place, proxy: Option<&Proxy>, heartbeat: Duration) -> ConnectOptions {
    let url = place.space.url();
    let url = proxy.map_or_else(|| url.to_owned(), |proxy| proxy.url(url));
    let options = ConnectOptions::new(&url).unwrap().prefix(place.space.prefix()).unwrap();
    options.heartbeat(heartbeat).backoff(BACKOFF / 5, BACKOFF)
}

fn builder(place: &Place, proxy: Option<&Proxy>, heartbeat: Duration) -> AmqpExecutorBuilder {
    AmqpExecutor::builder(options(place, proxy, heartbeat)).queue(place.queue.clone())
}

/// How often the end of each task was told, once so many were.
fn ends(events: &mut EventStream, expected: usize) -> HashMap<TaskId, u32> {
    let mut ends = HashMap::new();
    let mut told = 0;
    until("all ends are told", || {
        while let Some(event) = events.next_timeout(Duration::ZERO) {
            let event = event.unwrap();
            if matches!(event.kind, EventKind::Finished { .. }) {
                *ends.entry(event.task_id).or_default() += 1;
                told += 1;
            }
        }
        told >= expected
    });
    ends
}
