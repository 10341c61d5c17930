//! [`LiveTasks`]: the tasks that were submitted here and have not ended.

use std::sync::{Arc, Mutex};

use foldhash::HashMap;
use outwork_core::TaskId;

use super::cell::Cell;
use crate::lock::lock;

/// The tasks that were submitted here and have not ended, by id.
#[derive(Debug, Default)]
pub(super) struct LiveTasks {
    cells: Mutex<HashMap<TaskId, Arc<Cell>>>,
}

impl LiveTasks {
    /// Adds a task; `false` when its id is there already.
    pub(super) fn insert(&self, cell: &Arc<Cell>) -> bool {
        use std::collections::hash_map::Entry;
        match lock(&self.cells).entry(cell.id) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(Arc::clone(cell));
                true
            }
        }
    }

    pub(super) fn contains(&self, id: TaskId) -> bool {
        lock(&self.cells).contains_key(&id)
    }

    pub(super) fn get(&self, id: TaskId) -> Option<Arc<Cell>> {
        lock(&self.cells).get(&id).cloned()
    }

    pub(super) fn remove(&self, id: TaskId) {
        let removed = lock(&self.cells).remove(&id);
        drop(removed);
    }

    pub(super) fn is_empty(&self) -> bool {
        lock(&self.cells).is_empty()
    }

    pub(super) fn all(&self) -> Vec<Arc<Cell>> {
        lock(&self.cells).values().cloned().collect()
    }
}
