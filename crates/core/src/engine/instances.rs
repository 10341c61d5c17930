//! [`Instances`]: how many tasks of one name are alive.

use std::{collections::HashMap, num::NonZeroU32, sync::Arc};

use crate::{Refusal, SubmitErrorKind, Task, TaskName, sync::Mutex, waiters::lock};

/// Counts the live tasks of names that have a limit.
#[derive(Debug, Default)]
pub(super) struct Instances {
    counts: Mutex<HashMap<String, u32>>,
}

/// One of the allowed instances, given back when dropped.
#[derive(Debug)]
pub(super) struct Instance {
    instances: Arc<Instances>,
    name: TaskName,
}

impl Instances {
    /// Takes one of the allowed instances, checking and counting in one step.
    pub(super) fn reserve(
        self: &Arc<Self>,
        task: &Task,
        limit: NonZeroU32,
    ) -> Result<Instance, Refusal> {
        let mut counts = lock(&self.counts);
        let count = counts.entry(task.name.as_str().to_owned()).or_default();
        if *count >= limit.get() {
            return Err(refusal(task, limit));
        }
        *count += 1;
        Ok(Instance { instances: Arc::clone(self), name: task.name.clone() })
    }

    /// Refuses early what would be refused later, when there are so many `more`.
    pub(super) fn check(&self, task: &Task, limit: NonZeroU32, more: u32) -> Result<(), Refusal> {
        let count = lock(&self.counts).get(task.name.as_str()).copied().unwrap_or_default();
        if count.saturating_add(more) > limit.get() { Err(refusal(task, limit)) } else { Ok(()) }
    }
}

fn refusal(task: &Task, limit: NonZeroU32) -> Refusal {
    let message = format!(
        "task {} is refused: {limit} of {} are alive, which is its limit of instances",
        task.id, task.name
    );
    Refusal::new(SubmitErrorKind::MaxInstances, message)
}

impl Drop for Instance {
    fn drop(&mut self) {
        let mut counts = lock(&self.instances.counts);
        if let Some(count) = counts.get_mut(self.name.as_str()) {
            *count -= 1;
            if *count == 0 {
                counts.remove(self.name.as_str());
            }
        }
    }
}
