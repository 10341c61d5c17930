//! Handing many tasks over.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use outwork_core::{
    Admission, Batch, Placed, Refusal, SubmitErrorKind, SubmitManyError, Task, TaskHandle,
};

use super::{checked::Checked, client::Client, submit::Sent};

impl Client {
    pub(super) async fn submit_many(
        self: &Arc<Self>,
        tasks: Vec<Task>,
        batch: Batch,
    ) -> Result<Vec<TaskHandle>, SubmitManyError> {
        let whole = |refusal, index, tasks: Vec<Task>| {
            let tasks = tasks.into_iter().enumerate().collect();
            SubmitManyError::new(refusal, index, tasks, Vec::new())
        };
        let checked = match self.check_batch(&tasks) {
            Ok(checked) => checked,
            Err((index, refusal)) => return Err(whole(refusal, index, tasks)),
        };
        let mut reserved = match self.reserve(tasks.len(), batch) {
            Ok(reserved) => reserved,
            Err(refusal) => return Err(whole(refusal, 0, tasks)),
        };
        let mut handles = Handles::default();
        let mut rest = tasks.into_iter().zip(checked).enumerate();
        for (index, (task, checked)) in rest.by_ref() {
            let entered = match batch {
                Batch::Fit => {
                    reserved.places -= 1;
                    Ok(())
                }
                Batch::Wait => self.enter(&task).await,
            };
            let sent = match entered {
                Ok(()) => self.send(&task, checked).await,
                Err(refusal) => Err(refusal),
            };
            match sent {
                Ok(sent) => handles.sent.push((index, task, sent)),
                Err(refusal) => {
                    handles.refuse(index, task, refusal);
                    break;
                }
            }
        }
        handles.refused.extend(rest.map(|(index, (task, _))| (index, task)));
        handles.confirmed().await
    }

    fn check_batch(&self, tasks: &[Task]) -> Result<Vec<Checked>, (usize, Refusal)> {
        let mut ids = HashSet::with_capacity(tasks.len());
        let mut names = HashMap::new();
        let mut checked = Vec::with_capacity(tasks.len());
        for (index, task) in tasks.iter().enumerate() {
            // Only those count that have a limit, as when they come one by one.
            let of_name = names.entry(task.name().as_str()).or_insert(0_u32);
            *of_name += u32::from(task.options().max_instances.is_some());
            let message_of_task = self.check(task, true).map_err(|refusal| (index, refusal))?;
            if !ids.insert(task.id()) {
                let message = format!("the id {} is in the batch twice", task.id());
                return Err((index, Refusal::new(SubmitErrorKind::DuplicateId, message)));
            }
            self.check_free(task, *of_name).map_err(|refusal| (index, refusal))?;
            checked.push(message_of_task);
        }
        Ok(checked)
    }

    /// Takes the places of a batch that is to fit, all or none.
    fn reserve(&self, tasks: usize, batch: Batch) -> Result<Reserved<'_>, Refusal> {
        let places = match batch {
            Batch::Wait => 0,
            Batch::Fit => {
                let entered = self.admission.try_enter_many(tasks);
                entered.map_err(|reason| self.no_room(reason))?;
                tasks
            }
        };
        Ok(Reserved { admission: &self.admission, places })
    }
}

/// What has become of the tasks of a batch so far.
#[derive(Default)]
struct Handles {
    sent: Vec<(usize, Task, Sent)>,
    refused: Placed<Task>,
    first: Option<(usize, Refusal)>,
}

impl Handles {
    fn refuse(&mut self, index: usize, task: Task, refusal: Refusal) {
        self.refused.push((index, task));
        self.first.get_or_insert((index, refusal));
    }

    /// Waits for the broker's word on all that was sent.
    async fn confirmed(mut self) -> Result<Vec<TaskHandle>, SubmitManyError> {
        let mut accepted = Vec::with_capacity(self.sent.len());
        for (index, task, sent) in std::mem::take(&mut self.sent) {
            match sent.confirmed().await {
                Ok(handle) => accepted.push((index, handle)),
                Err(refusal) => {
                    let earlier = self.first.as_ref().is_none_or(|(first, _)| index < *first);
                    self.refused.push((index, task));
                    if earlier {
                        self.first = Some((index, refusal));
                    }
                }
            }
        }
        match self.first {
            None => Ok(accepted.into_iter().map(|(_, handle)| handle).collect()),
            Some((index, refusal)) => {
                self.refused.sort_by_key(|(index, _)| *index);
                Err(SubmitManyError::new(refusal, index, self.refused, accepted))
            }
        }
    }
}

/// The places of those tasks of a batch that were not sent yet, given back when dropped.
struct Reserved<'a> {
    admission: &'a Admission,
    places: usize,
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        (0..self.places).for_each(|_| self.admission.leave());
    }
}
