//! [`Threads`]: a small pool of threads.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread,
};

use outwork_core::{
    Capabilities, Executor, ExecutorConfig, Priority, WorkerScope, WouldDeadlock,
    blocking::{Compensate, ExecutorId, block_on},
    conformance::registry,
    engine::{Attempt, AttemptKey, Backend, Close, Engine, EngineOptions, WorkerToken},
};
use serde::{Deserialize, Serialize};

use crate::programs::Programs;

/// How a worker runs an attempt.
pub type Run = fn(Attempt, &Arc<str>);

/// Runs an attempt as it should be.
pub fn honestly(attempt: Attempt, worker: &Arc<str>) {
    if let Err(attempt) = attempt.run_sync(worker) {
        block_on(attempt.run(worker, &Programs));
    }
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub workers: usize,
    pub limit: usize,
}

/// A small pool of threads.
#[derive(Debug)]
pub struct Threads {
    shared: Arc<Shared>,
    settings: Settings,
}

#[derive(Debug)]
struct Shared {
    id: ExecutorId,
    run: Run,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    queues: [VecDeque<Attempt>; 3],
    /// Those that live and were not given up, with what they run.
    workers: HashMap<usize, Option<AttemptKey>>,
    tokens: HashMap<usize, WorkerToken>,
    /// For workers that are still to come.
    token: Option<WorkerToken>,
    started: usize,
    surplus: usize,
    closed: Option<Close>,
}

impl Threads {
    pub fn engine(settings: Settings, options: EngineOptions, run: Run) -> Arc<dyn Executor> {
        let engine = Engine::build(Arc::new(registry()), options, |surroundings| {
            let state = State { token: Some(surroundings.token), ..State::default() };
            let shared = Arc::new(Shared {
                id: surroundings.id,
                run,
                state: Mutex::new(state),
                changed: Condvar::new(),
            });
            (0..settings.workers).for_each(|_| shared.start_worker());
            Ok::<_, std::convert::Infallible>(Self { shared, settings })
        });
        Arc::new(engine.unwrap())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn start_worker(self: &Arc<Self>) {
        let mut state = self.lock();
        let Some(token) = state.token.clone() else { return };
        let number = state.started;
        state.started += 1;
        state.workers.insert(number, None);
        state.tokens.insert(number, token);
        drop(state);
        let shared = Arc::clone(self);
        let name: Arc<str> = format!("worker-{number}").into();
        let work = move || {
            let _scope = WorkerScope::enter(shared.id, Arc::new(Spares(Arc::clone(&shared))));
            while let Some(attempt) = shared.next(number) {
                (shared.run)(attempt, &name);
            }
            shared.leave(number);
        };
        thread::Builder::new().spawn(work).unwrap();
    }

    /// Waits for an attempt; `None` when the worker is to leave.
    fn next(&self, number: usize) -> Option<Attempt> {
        let mut state = self.lock();
        loop {
            let current = state.workers.get_mut(&number)?;
            *current = None;
            if state.surplus > 0 {
                state.surplus -= 1;
                return None;
            }
            if let Some(attempt) = state.queues.iter_mut().rev().find_map(VecDeque::pop_front) {
                state.workers.insert(number, Some(attempt.key()));
                return Some(attempt);
            }
            if state.closed.is_some() {
                return None;
            }
            state = self.changed.wait(state).unwrap();
        }
    }

    fn leave(&self, number: usize) {
        let mut state = self.lock();
        state.workers.remove(&number);
        let token = state.tokens.remove(&number);
        let last = state.forget_token();
        drop(state);
        // The last token ends the executor, which is not to be done under a lock.
        drop((token, last));
    }
}

impl State {
    /// Once the pool is closed and the last worker has left, none will come.
    fn forget_token(&mut self) -> Option<WorkerToken> {
        if self.closed.is_some() && self.workers.is_empty() { self.token.take() } else { None }
    }
}

impl Backend for Threads {
    fn start(&self, attempt: Attempt) {
        let mut state = self.shared.lock();
        if state.closed >= Some(Close::CancelQueued) {
            drop(state);
            return drop(attempt);
        }
        state.queues[attempt.priority() as usize].push_back(attempt);
        drop(state);
        self.shared.changed.notify_one();
    }

    fn abandon(&self, key: AttemptKey) -> bool {
        let mut state = self.shared.lock();
        let found = state.workers.iter().find(|(_, current)| **current == Some(key));
        let Some((&number, _)) = found else { return false };
        state.workers.remove(&number);
        let token = state.tokens.remove(&number);
        drop(state);
        self.shared.start_worker();
        drop(token);
        true
    }

    fn close(&self, how: Close) {
        let mut state = self.shared.lock();
        state.closed = state.closed.max(Some(how));
        let mut queued = Vec::new();
        if how >= Close::CancelQueued {
            queued.extend(state.queues.iter_mut().flat_map(std::mem::take));
        }
        let mut tokens = HashMap::new();
        if how == Close::Abandon {
            state.workers.clear();
            tokens = std::mem::take(&mut state.tokens);
        }
        let last = state.forget_token();
        drop(state);
        self.shared.changed.notify_all();
        drop((queued, tokens, last));
    }

    fn workers(&self) -> usize {
        self.shared.lock().workers.len()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::IN_PROCESS
    }

    fn config(&self) -> ExecutorConfig {
        ExecutorConfig::new("conformance-threads", &self.settings)
    }
}

/// Puts another worker in the place of one that blocks.
struct Spares(Arc<Shared>);

/// A worker that is there for the while.
struct Spare(Arc<Shared>);

impl Compensate for Spares {
    fn block(&self, _target: ExecutorId) -> Result<Box<dyn Send>, WouldDeadlock> {
        self.0.start_worker();
        Ok(Box::new(Spare(Arc::clone(&self.0))))
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        self.0.lock().surplus += 1;
        self.0.changed.notify_all();
    }
}

// The queues are numbered by priority.
const _: () = assert!(Priority::Low as usize == 0 && Priority::High as usize == 2);
