//! [`Tales`]: what the executor's events told.

use std::collections::HashMap;

use outwork_core::{EventKind, EventStream, State, TaskEvent, TaskId, blocking::block_on};

use super::ledger::Fate;

/// What the executor's events told of each job.
#[derive(Debug, Default)]
pub(super) struct Tales {
    of: HashMap<TaskId, Tale>,
}

/// What the events told of one job.
#[derive(Debug, Default)]
pub(super) struct Tale {
    is_task: bool,
    submitted: u32,
    started: u32,
    retried: u32,
    /// Each time that it was told to have ended.
    finished: Vec<State>,
    /// Something was told before it was submitted, or after it had ended.
    is_out_of_order: bool,
}

impl Tales {
    /// Reads all there is, to the end of the stream.
    pub(super) fn read(mut events: EventStream) -> Result<Self, String> {
        let mut tales = Self::default();
        while let Some(event) = block_on(events.next()) {
            let event =
                event.map_err(|lagged| format!("there was room for all events: {lagged}"))?;
            tales.of.entry(event.task_id).or_default().tell(&event);
        }
        Ok(tales)
    }

    pub(super) fn get(&self, id: TaskId) -> Option<&Tale> {
        self.of.get(&id)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &TaskId> {
        self.of.keys()
    }

    pub(super) fn tasks_that_ended(&self, state: State) -> u64 {
        let ends = |tale: &&Tale| tale.is_task && tale.finished.contains(&state);
        self.of.values().filter(ends).count() as u64
    }

    /// How many tasks ended how.
    pub(super) fn endings(&self) -> HashMap<State, usize> {
        let mut endings = HashMap::new();
        for state in self.of.values().filter(|tale| tale.is_task).flat_map(|tale| &tale.finished) {
            *endings.entry(*state).or_default() += 1;
        }
        endings
    }
}

impl Tale {
    fn tell(&mut self, event: &TaskEvent) {
        self.is_task |= event.name.is_some();
        let is_first = matches!(event.kind, EventKind::Submitted);
        self.is_out_of_order |= !self.finished.is_empty() || is_first != (self.submitted == 0);
        match &event.kind {
            EventKind::Submitted => self.submitted += 1,
            EventKind::Started { .. } => self.started += 1,
            EventKind::Retrying { .. } => self.retried += 1,
            EventKind::Finished { state, .. } => self.finished.push(*state),
            EventKind::CancelRequested | EventKind::Progress(_) => {}
        }
    }

    /// What is wrong with it for a job that was accepted.
    pub(super) fn fault(&self, fate: &Fate, is_task: bool, runs: u32) -> Option<&'static str> {
        let attempts = match fate {
            Fate::Ended(end) if is_task => end.attempts,
            _ => self.started,
        };
        [
            (self.is_out_of_order, "its events are out of order"),
            (self.submitted != 1, "it was not submitted once"),
            (self.finished.len() != 1, "it was not told once to have ended"),
            (
                fate.state().is_some_and(|state| !self.finished.contains(&state)),
                "it ended another way",
            ),
            (self.started != attempts, "it was not told to start once for each attempt"),
            (self.started < runs, "it ran oftener than it was told to start"),
            (self.retried > self.started, "it was retried for nothing"),
        ]
        .into_iter()
        .find_map(|(wrong, words)| wrong.then_some(words))
    }
}
