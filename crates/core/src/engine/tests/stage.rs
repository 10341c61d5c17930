//! [`Stage`]: an engine whose clock and whose backend the test plays by hand.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    sync::{Weak, mpsc},
    task::{Context, Poll, Waker},
    time::Duration,
};

use super::*;
use crate::{
    BoxError, Clock, EventKind, Outcome, Payload, StopLevel, TaskDef, TaskOptions, Timer,
    engine::cell::Cell,
    sync::{Mutex, MutexGuard},
    waiters::lock,
};

pub(super) const SECOND: Duration = Duration::from_secs(1);

/// Longer than anything takes here.
pub(super) const SOON: Duration = Duration::from_secs(20);

pub(super) const BODY: TaskDef<(), u32> = TaskDef::new("stage.body");

/// An engine whose clock and whose backend the test plays by hand.
pub(super) struct Stage {
    pub(super) engine: Engine<Script>,
    pub(super) clock: Clock,
    timer: Timer,
}

/// A backend that keeps what it is given until the test takes it.
pub(super) struct Script {
    attempts: Mutex<VecDeque<Attempt>>,
    driven: Mutex<Vec<BoxFuture<'static, ()>>>,
    token: Mutex<Option<WorkerToken>>,
    played: Mutex<Played>,
}

/// What the test decides and what it has seen.
#[derive(Debug, Clone, Default)]
pub(super) struct Played {
    pub(super) drive: Drive,
    pub(super) on_start: OnStart,
    pub(super) abandons: bool,
    /// Attempts are kept also after the backend was closed, as by workers that are not idle.
    pub(super) stays_open: bool,
    pub(super) patience: Duration,
    pub(super) recalls: Vec<(AttemptKey, Recall)>,
    pub(super) stops: Vec<StopLevel>,
    pub(super) closes: Vec<Close>,
}

/// What becomes of the small futures of the lifecycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Drive {
    /// They are run inside the call.
    #[default]
    AtOnce,
    /// They are kept until [`Stage::drive`].
    Later,
    /// They are dropped, as when the system has no thread.
    Never,
}

/// What becomes of an attempt that is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum OnStart {
    /// It is kept until [`Stage::take`].
    #[default]
    Keep,
    /// Its body is run inside the call, and fails.
    Fail,
    /// It is dropped.
    Drop,
}

impl Stage {
    pub(super) fn new() -> Self {
        Self::with(|options| options)
    }

    pub(super) fn with(set: impl FnOnce(EngineOptions) -> EngineOptions) -> Self {
        let mut registry = Registry::new();
        registry.register(BODY, |_, ()| Ok::<_, BoxError>(7)).unwrap();
        let clock = Clock::manual();
        let timer = Timer::new(clock.clone());
        let options = set(EngineOptions::new("stage").limit(4).timer(timer.clone()));
        let engine = Engine::build(Arc::new(registry), options, |executor| {
            Ok::<_, Infallible>(Script::new(executor.token))
        });
        let Ok(engine) = engine;
        Self { engine, clock, timer }
    }

    pub(super) fn play(&self) -> MutexGuard<'_, Played> {
        lock(&self.engine.backend().played)
    }

    /// What the backend was told until now.
    pub(super) fn played(&self) -> Played {
        self.play().clone()
    }

    pub(super) fn task(options: TaskOptions) -> Task {
        BODY.task(&()).unwrap().with_options(options)
    }

    pub(super) fn submit(&self, options: TaskOptions) -> TaskHandle {
        self.engine.try_submit(Self::task(options)).unwrap()
    }

    /// The next attempt that was started.
    pub(super) fn take(&self) -> Attempt {
        self.take_if_any().expect("an attempt was started")
    }

    pub(super) fn take_if_any(&self) -> Option<Attempt> {
        lock(&self.engine.backend().attempts).pop_front()
    }

    /// The next attempt, with its body running.
    pub(super) fn begin(&self) -> Attempt {
        let attempt = self.take();
        assert!(attempt.begin(&worker()), "it may run");
        attempt
    }

    /// Runs what the lifecycle gave the backend to drive.
    pub(super) fn drive(&self) {
        let driven = std::mem::take(&mut *lock(&self.engine.backend().driven));
        driven.into_iter().for_each(block_on);
    }

    /// Moves the clock; when it returns, everything that is due then has been done.
    pub(super) fn pass(&self, time: Duration) {
        self.clock.advance(time);
        let (send, done) = mpsc::channel();
        self.timer.after(Duration::ZERO, move || send.send(()).unwrap());
        done.recv_timeout(SOON).expect("the timer does its work");
    }

    pub(super) fn events(&self) -> EventStream {
        self.engine.events(EventFilter::all())
    }

    /// The engine's own record of a live task.
    pub(super) fn cell(&self, handle: &TaskHandle) -> Weak<Cell> {
        let cell = self.engine.core.live().get(handle.task_id()).expect("the task is alive");
        Arc::downgrade(&cell)
    }

    /// Nothing is in flight, and the counters say so.
    #[track_caller]
    pub(super) fn must_be_at_rest(&self) {
        let status = self.engine.status();
        assert_eq!(status.in_flight, 0, "places in use");
        assert_eq!(self.engine.core.live().alive(), 0, "tasks alive");
        assert!(self.engine.core.live().is_empty(), "the count of tasks");
        let counts = status.counts;
        let ends = counts.succeeded + counts.failed + counts.cancelled;
        assert_eq!(counts.submitted, ends + counts.timed_out + counts.lost, "{counts:?}");
    }
}

impl Script {
    fn new(token: WorkerToken) -> Self {
        Self {
            attempts: Mutex::default(),
            driven: Mutex::default(),
            token: Mutex::new(Some(token)),
            played: Mutex::default(),
        }
    }
}

pub(super) fn worker() -> Arc<str> {
    Arc::from("worker")
}

impl Backend for Script {
    fn start(&self, attempt: Attempt) {
        let (on_start, deserted) = {
            let played = lock(&self.played);
            (played.on_start, !played.stays_open && !played.closes.is_empty())
        };
        match on_start {
            _ if deserted => drop(attempt),
            OnStart::Keep => lock(&self.attempts).push_back(attempt),
            OnStart::Drop => drop(attempt),
            OnStart::Fail => {
                if attempt.begin(&worker()) {
                    attempt.finish_elsewhere(Err(crate::TaskError::failed("on purpose")));
                }
            }
        }
    }

    fn recall(&self, key: AttemptKey, why: Recall) {
        lock(&self.played).recalls.push((key, why));
    }

    fn stop(&self, _key: AttemptKey, level: StopLevel) {
        lock(&self.played).stops.push(level);
    }

    fn patience(&self, _kind: crate::BodyKind) -> Duration {
        lock(&self.played).patience
    }

    fn abandon(&self, _key: AttemptKey) -> bool {
        lock(&self.played).abandons
    }

    fn drive(&self, future: BoxFuture<'static, ()>) {
        let drive = lock(&self.played).drive;
        match drive {
            Drive::AtOnce => block_on(future),
            Drive::Later => lock(&self.driven).push(future),
            Drive::Never => drop(future),
        }
    }

    fn close(&self, how: Close) {
        lock(&self.played).closes.push(how);
        if how >= Close::CancelQueued {
            let queued = std::mem::take(&mut *lock(&self.attempts));
            drop(queued);
        }
        let token = lock(&self.token).take();
        drop(token);
    }

    fn workers(&self) -> usize {
        1
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::IN_PROCESS
    }

    fn config(&self) -> ExecutorConfig {
        ExecutorConfig::new("script", &())
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Script")
    }
}

/// A good result.
pub(super) fn reply() -> Payload {
    Payload::encode(crate::Codec::MessagePack, &7_u32).unwrap()
}

/// Polls once.
pub(super) fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// The outcome of a task that ends soon.
#[track_caller]
pub(super) fn end(handle: &mut TaskHandle) -> Outcome {
    handle.wait_timeout(SOON).expect("the handle resolves")
}

/// What was told of one task until now, in words.
pub(super) fn story(events: &mut EventStream, id: TaskId) -> Vec<String> {
    let mut words = Vec::new();
    while let Some(event) = events.next_timeout(Duration::ZERO) {
        let event = event.expect("no event is missed");
        if event.task_id == id {
            words.push(word(event.attempt, &event.kind));
        }
    }
    words
}

fn word(attempt: u32, kind: &EventKind) -> String {
    match kind {
        EventKind::Submitted => "submitted".to_owned(),
        EventKind::Started { .. } => format!("started {attempt}"),
        EventKind::Progress(progress) => format!("progress {}", progress.done),
        EventKind::CancelRequested => "cancel requested".to_owned(),
        EventKind::Retrying { .. } => format!("retrying after {attempt}"),
        EventKind::Finished { state, .. } => format!("finished {state}"),
    }
}
