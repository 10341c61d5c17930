//! [`Worker`]: one thread of a pool.

use std::sync::{Arc, PoisonError};

use outwork_core::{
    EventHub,
    engine::{AttemptKey, WorkerToken, contain_drop},
};

use crate::{
    sync::{Mutex, MutexGuard},
    thread_pool::closure::QueuedClosure,
};

/// One thread.
#[derive(Debug)]
pub(in super::super) struct Worker {
    pub(in super::super) name: Arc<str>,
    state: Mutex<WorkerState>,
}

#[derive(Debug)]
struct WorkerState {
    current: Current,
    abandoned: bool,
    token: Option<WorkerToken>,
}

/// What a thread is at, as far as somebody may want to know.
#[derive(Default)]
pub(in super::super) enum Current {
    #[default]
    Other,
    Attempt(AttemptKey),
    Closure(Arc<dyn QueuedClosure>),
}

impl Worker {
    pub(super) fn new(name: String, token: Option<WorkerToken>) -> Self {
        let state = WorkerState { current: Current::Other, abandoned: false, token };
        Self { name: name.into(), state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, WorkerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what the thread is at; `false` when it was given up.
    pub(in super::super) fn now_at(&self, current: Current) -> bool {
        let mut state = self.state();
        let before = std::mem::replace(&mut state.current, current);
        let welcome = !state.abandoned;
        drop(state);
        drop(before);
        welcome
    }

    /// Gives the thread up if it runs this attempt.
    pub(super) fn give_up(&self, key: AttemptKey) -> bool {
        let mut state = self.state();
        let runs_it = matches!(state.current, Current::Attempt(current) if current == key);
        state.abandoned |= runs_it;
        runs_it
    }

    /// Gives the thread up, and what it is at: a closure resolves as lost.
    pub(super) fn lose(&self, hub: &EventHub) {
        let mut state = self.state();
        state.abandoned = true;
        let current = std::mem::take(&mut state.current);
        drop(state);
        if let Current::Closure(closure) = current {
            closure.lose(hub);
            // The last reference may drop a result of the user's.
            contain_drop(closure);
        }
        self.forget_token();
    }

    pub(super) fn forget_token(&self) {
        let token = self.state().token.take();
        drop(token);
    }
}

impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Other => "Other",
            Self::Attempt(_) => "Attempt",
            Self::Closure(_) => "Closure",
        })
    }
}
