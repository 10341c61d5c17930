//! [`Retained`]: outcomes that somebody may still come for.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
};

use outwork_core::TaskId;

use super::cell::Cell;
use crate::lock::lock;

/// The last ended tasks whose address was asked for; the oldest make room.
#[derive(Debug)]
pub(super) struct Retained {
    limit: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    closed: bool,
    by_id: HashMap<TaskId, Arc<Cell>>,
    order: VecDeque<TaskId>,
}

impl Retained {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, kept: Mutex::default() }
    }

    pub(super) fn keep(&self, cell: &Arc<Cell>) {
        let mut kept = lock(&self.kept);
        if kept.closed {
            return;
        }
        if kept.by_id.insert(cell.id, Arc::clone(cell)).is_none() {
            kept.order.push_back(cell.id);
        }
        let oldest = if kept.order.len() > self.limit { kept.order.pop_front() } else { None };
        let evicted = oldest.and_then(|id| kept.by_id.remove(&id));
        drop(kept);
        drop(evicted);
    }

    pub(super) fn get(&self, id: TaskId) -> Option<Arc<Cell>> {
        lock(&self.kept).by_id.get(&id).cloned()
    }

    /// Keeps nothing from here on: what is kept holds the client, which nobody can ask any more.
    pub(super) fn close(&self) {
        let kept = std::mem::take(&mut *lock(&self.kept));
        lock(&self.kept).closed = true;
        drop(kept);
    }
}
