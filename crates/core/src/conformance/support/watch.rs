//! [`Watch`]: the events of an executor, read by a check.

use std::time::{Duration, Instant};

use super::{Held, Stop};
use crate::{EventKind, EventStream, Lagged, TaskEvent, TaskId, blocking::block_on_for};

/// The events of an executor, read by a check.
#[derive(Debug)]
pub(crate) struct Watch {
    stream: EventStream,
    patience: Duration,
}

impl Watch {
    pub(crate) fn new(stream: EventStream, patience: Duration) -> Self {
        Self { stream, patience }
    }

    /// The next event or gap; `None` when the stream has ended.
    pub(crate) fn read(&mut self) -> Held<Option<Result<TaskEvent, Lagged>>> {
        block_on_for(self.stream.next(), Some(self.patience))
            .map_err(|_| Stop::broken(format!("no event and no end in {:?}", self.patience)))
    }

    pub(crate) fn next(&mut self) -> Held<TaskEvent> {
        match self.read()? {
            Some(event) => Ok(event?),
            None => Err(Stop::broken("the events ended before the one that was waited for")),
        }
    }

    /// Reads on until an event whose words begin so, as a [`story`] tells it.
    pub(crate) fn next_that(&mut self, wanted: &str) -> Held<TaskEvent> {
        loop {
            let event = self.next()?;
            if words(&event).starts_with(wanted) {
                return Ok(event);
            }
        }
    }

    /// The next event, if one comes in so short a time.
    pub(crate) fn within(&mut self, time: Duration) -> Held<Option<TaskEvent>> {
        let until = Instant::now() + time;
        let left = until.saturating_duration_since(Instant::now());
        Ok(self.stream.next_timeout(left).transpose()?)
    }

    /// All events up to the end of the stream, which comes when the executor has stopped.
    pub(crate) fn rest(mut self) -> Held<Vec<TaskEvent>> {
        let mut events = Vec::new();
        while let Some(event) = self.read()? {
            events.push(event?);
        }
        Ok(events)
    }
}

/// The events of one task in a few words each.
pub(crate) fn story(events: &[TaskEvent], id: TaskId) -> Vec<String> {
    events.iter().filter(|event| event.task_id == id).map(words).collect()
}

fn words(event: &TaskEvent) -> String {
    let attempt = event.attempt;
    match &event.kind {
        EventKind::Submitted if attempt == 0 => "submitted".to_owned(),
        EventKind::Submitted => format!("submitted in attempt {attempt}"),
        EventKind::Started { .. } => format!("started {attempt}"),
        EventKind::Progress(progress) => format!("progress {}", progress.done),
        EventKind::CancelRequested => "cancel requested".to_owned(),
        EventKind::Retrying { .. } => format!("retrying after {attempt}"),
        EventKind::Finished { state, .. } => format!("finished {state} {attempt}"),
    }
}
