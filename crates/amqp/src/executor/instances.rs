//! [`Instances`]: how many tasks of a name are alive, where that is limited.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex},
};

use outwork_core::{Refusal, SubmitErrorKind, Task};

use crate::lock::lock;

/// How many tasks of each name are alive that have a limit.
#[derive(Debug, Default)]
pub(super) struct Instances {
    alive: Mutex<HashMap<String, u32>>,
}

/// The place of one task among those of its name, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Instance {
    instances: Arc<Instances>,
    name: String,
}

impl Instances {
    /// Whether so many more would be allowed.
    pub(super) fn check(&self, task: &Task, limit: NonZeroU32, more: u32) -> Result<(), Refusal> {
        let alive = lock(&self.alive).get(task.name().as_str()).copied().unwrap_or(0);
        if alive.saturating_add(more) <= limit.get() { Ok(()) } else { Err(too_many(task, limit)) }
    }

    /// Takes a place, which is checked and taken in one step.
    pub(super) fn reserve(
        self: &Arc<Self>,
        task: &Task,
        limit: NonZeroU32,
    ) -> Result<Instance, Refusal> {
        let mut alive = lock(&self.alive);
        let count = alive.entry(task.name().as_str().to_owned()).or_insert(0);
        if *count >= limit.get() {
            return Err(too_many(task, limit));
        }
        *count += 1;
        Ok(Instance { instances: Arc::clone(self), name: task.name().as_str().to_owned() })
    }
}

fn too_many(task: &Task, limit: NonZeroU32) -> Refusal {
    let message = format!(
        "task {} is not accepted: {limit} tasks named {} are alive, which is its limit",
        task.id(),
        task.name()
    );
    Refusal::new(SubmitErrorKind::MaxInstances, message)
}

impl Drop for Instance {
    fn drop(&mut self) {
        let mut alive = lock(&self.instances.alive);
        if let Some(count) = alive.get_mut(&self.name) {
            *count -= 1;
            if *count == 0 {
                alive.remove(&self.name);
            }
        }
    }
}
