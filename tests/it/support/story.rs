//! [`story`]: events in a few words each.

use outwork_core::{EventKind, EventStream, TaskEvent, TaskId};

use super::PATIENCE;

/// All events of a stream that has to end, with the task that each belongs to.
#[track_caller]
pub fn story(events: &mut EventStream) -> Vec<(TaskId, String)> {
    let mut told = Vec::new();
    let next = async |events: &mut EventStream| events.next().await;
    while let Some(event) = outwork_core::blocking::block_on_for(next(events), Some(PATIENCE))
        .expect("no event and no end of the stream")
    {
        let event = event.expect("there was room for all events");
        told.push((event.task_id, words(&event)));
    }
    told
}

/// The part of a story that is about one task.
pub fn story_of(story: &[(TaskId, String)], task: TaskId) -> Vec<&str> {
    story.iter().filter(|(id, _)| *id == task).map(|(_, words)| words.as_str()).collect()
}

fn words(event: &TaskEvent) -> String {
    match &event.kind {
        EventKind::Submitted => "submitted".to_owned(),
        EventKind::Started { .. } => "started".to_owned(),
        EventKind::Progress(progress) => format!("progress {}", progress.done),
        EventKind::CancelRequested => "cancel requested".to_owned(),
        EventKind::Retrying { .. } => "retrying".to_owned(),
        EventKind::Finished { state, .. } => format!("finished {state}"),
    }
}
