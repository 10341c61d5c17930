//! [`LiveTasks`]: the tasks that have not ended, by id.

use std::{hash::BuildHasher, sync::Arc};

use foldhash::{HashMap, fast::RandomState};

use super::cell::Cell;
use crate::{
    JoinSource, State, TaskId,
    own_line::OwnLine,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    waiters::lock,
};

/// More than the threads that meet here at one instant.
const SHARDS: usize = 16;

/// The tasks that were accepted and have not ended.
#[derive(Debug, Default)]
pub(super) struct LiveTasks {
    shards: [OwnLine<Mutex<Shard>>; SHARDS],
    /// Which of them has an id.
    choice: RandomState,
    count: OwnLine<AtomicUsize>,
}

type Shard = HashMap<TaskId, Arc<Cell>>;

impl LiveTasks {
    /// Adds a task; `false` when its id is there already.
    pub(super) fn insert(&self, cell: &Arc<Cell>) -> bool {
        use std::collections::hash_map::Entry;
        match lock(self.shard(cell.id())).entry(cell.id()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(entry) => {
                entry.insert(Arc::clone(cell));
                // Sequentially consistent, as is the look at the phase that follows it:
                // either the one who accepts sees that the executor closes,
                // or the one who closes sees this task.
                self.count.fetch_add(1, Ordering::SeqCst);
                true
            }
        }
    }

    pub(super) fn contains(&self, id: TaskId) -> bool {
        lock(self.shard(id)).contains_key(&id)
    }

    pub(super) fn get(&self, id: TaskId) -> Option<Arc<Cell>> {
        lock(self.shard(id)).get(&id).cloned()
    }

    /// Takes a task out of the map; it counts until [`uncount`](Self::uncount).
    pub(super) fn remove(&self, id: TaskId) {
        let removed = lock(self.shard(id)).remove(&id);
        drop(removed);
    }

    /// Counts one task less; whether it was the last.
    pub(super) fn uncount(&self) -> bool {
        self.count.fetch_sub(1, Ordering::SeqCst) == 1
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count.load(Ordering::SeqCst) == 0
    }

    /// How many tasks have no outcome yet. A task leaves the map before its outcome can be
    /// seen, and the count only afterwards: whoever has seen the end must not find it alive.
    pub(super) fn alive(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// How many bodies run at this moment. Counted when asked, which costs nobody else anything.
    pub(super) fn running(&self) -> usize {
        self.all().iter().filter(|cell| cell.state() == State::Running).count()
    }

    /// All tasks at this moment.
    pub(super) fn all(&self) -> Vec<Arc<Cell>> {
        self.shards
            .iter()
            .flat_map(|shard| lock(shard).values().cloned().collect::<Vec<_>>())
            .collect()
    }

    fn shard(&self, id: TaskId) -> &Mutex<Shard> {
        &self.shards[self.choice.hash_one(id) as usize % SHARDS]
    }
}
