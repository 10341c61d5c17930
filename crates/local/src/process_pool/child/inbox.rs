//! [`Inbox`]: what the pool has sent and the child has not begun.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use super::super::wire::TaskFrame;

/// The tasks that wait in the child.
#[derive(Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    tasks: VecDeque<TaskFrame>,
    /// No more will come, and the child is to end.
    leaving: bool,
    /// The runner waits.
    waiting: bool,
    /// Another thread reads the socket for the runner.
    stood_in_for: bool,
}

/// What the runner does next.
pub(super) enum Next {
    Run(TaskFrame),
    /// Nothing is here.
    Empty,
    Leave,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, task: TaskFrame) {
        let mut state = self.lock();
        state.tasks.push_back(task);
        if state.waiting {
            self.changed.notify_all();
        }
    }

    pub(super) fn leave(&self) {
        self.lock().leaving = true;
        self.changed.notify_all();
    }

    pub(super) fn pop(&self) -> Next {
        let mut state = self.lock();
        match state.tasks.pop_front() {
            Some(task) => Next::Run(task),
            None if state.leaving => Next::Leave,
            None => Next::Empty,
        }
    }

    /// Whether there is nothing to do. Who reads the socket can rely on it until it does.
    pub(super) fn is_empty(&self) -> bool {
        let state = self.lock();
        state.tasks.is_empty() && !state.leaving
    }

    /// Takes out a task that has not begun.
    pub(super) fn remove(&self, seq: u64) -> bool {
        let mut state = self.lock();
        let place = state.tasks.iter().position(|task| task.seq == seq);
        place.and_then(|place| state.tasks.remove(place)).is_some()
    }

    /// Takes out all tasks that have not begun.
    pub(super) fn remove_all(&self) -> Vec<u64> {
        self.lock().tasks.drain(..).map(|task| task.seq).collect()
    }

    /// Says that another thread is about to read the socket, or has stopped to.
    pub(super) fn stand_in(&self, stands_in: bool) {
        let mut state = self.lock();
        state.stood_in_for = stands_in;
        if state.waiting {
            self.changed.notify_all();
        }
    }

    /// Waits while another thread reads the socket and there is nothing to do.
    pub(super) fn wait(&self) {
        let mut state = self.lock();
        state.waiting = true;
        while state.tasks.is_empty() && !state.leaving && state.stood_in_for {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting = false;
    }
}
