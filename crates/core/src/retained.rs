//! [`Retained`]: ended tasks that somebody may still come for.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::Arc,
};

use crate::{TaskId, sync::Mutex, waiters::lock};

/// The last ended tasks whose address was asked for; the oldest make room.
pub struct Retained<T> {
    limit: usize,
    kept: Mutex<Kept<T>>,
}

struct Kept<T> {
    closed: bool,
    by_id: HashMap<TaskId, Arc<T>>,
    order: VecDeque<TaskId>,
}

impl<T> Retained<T> {
    /// Room for so many tasks.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, kept: Mutex::new(Kept::new(false)) }
    }

    /// Keeps a task, unless this is closed.
    pub fn keep(&self, id: TaskId, task: &Arc<T>) {
        let mut kept = lock(&self.kept);
        if kept.closed {
            return;
        }
        if kept.by_id.insert(id, Arc::clone(task)).is_none() {
            kept.order.push_back(id);
        }
        let oldest = if kept.order.len() > self.limit { kept.order.pop_front() } else { None };
        let evicted = oldest.and_then(|id| kept.by_id.remove(&id));
        drop(kept);
        drop(evicted);
    }

    /// Keeps nothing from here on: what is kept holds the executor, and nobody can ask it any
    /// more.
    pub fn close(&self) {
        let kept = std::mem::replace(&mut *lock(&self.kept), Kept::new(true));
        drop(kept);
    }

    /// The task with this id, if it is kept.
    #[must_use]
    pub fn get(&self, id: TaskId) -> Option<Arc<T>> {
        lock(&self.kept).by_id.get(&id).cloned()
    }
}

impl<T> Kept<T> {
    fn new(closed: bool) -> Self {
        Self { closed, by_id: HashMap::new(), order: VecDeque::new() }
    }
}

impl<T> fmt::Debug for Retained<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retained").field("limit", &self.limit).finish_non_exhaustive()
    }
}
