//! [`Story`]: the id and the events of work without a name.

use std::sync::OnceLock;

use outwork_core::{
    EventFilter, EventHub, EventKind, EventStream, JobHandle, State, TaskError, TaskEvent, TaskId,
};

/// The id and the events of work without a name. Neither is made before somebody asks.
#[derive(Default)]
pub(super) struct Story {
    asked: OnceLock<Asked>,
}

struct Asked {
    id: TaskId,
    hub: EventHub,
}

impl Story {
    fn asked(&self) -> &Asked {
        self.asked.get_or_init(|| Asked { id: TaskId::new(), hub: EventHub::new() })
    }

    pub(super) fn id(&self) -> TaskId {
        self.asked().id
    }

    /// The events from now on; none when it has ended.
    pub(super) fn events(&self, state: impl FnOnce() -> State) -> EventStream {
        let hub = &self.asked().hub;
        let stream = hub.subscribe(EventFilter::all());
        if state().is_final() {
            hub.close();
        }
        stream
    }

    /// An address that nobody can attach to.
    pub(super) fn job_handle(&self) -> JobHandle {
        JobHandle::new(self.id(), "anonymous")
    }

    /// Tells those who read the pool's events, and those who read this one's.
    pub(super) fn emit(&self, pool: &EventHub, kind: impl FnOnce() -> EventKind) {
        if pool.is_active() || self.asked.get().is_some() {
            let event = self.event(kind());
            self.tell_own(&event);
            pool.emit(|| event);
        }
    }

    /// Tells those who read this one's events how it ended. Those who read the pool's are told
    /// by [`emit_end`](Self::emit_end), by whoever takes the dead entry out of the queue: a
    /// handle knows no pool.
    pub(super) fn emit_own_end(&self, error: &TaskError) {
        if self.asked.get().is_some() {
            self.tell_own(&self.event(finished(error)));
        }
    }

    /// Tells those who read the pool's events how it had ended in the queue.
    pub(super) fn emit_end(&self, pool: &EventHub, error: &TaskError) {
        pool.emit(|| self.event(finished(error)));
    }

    fn event(&self, kind: EventKind) -> TaskEvent {
        TaskEvent::now(self.id(), None, 1, kind)
    }

    fn tell_own(&self, event: &TaskEvent) {
        let hub = &self.asked().hub;
        hub.emit(|| event.clone());
        if event.is_final() {
            hub.close();
        }
    }
}

fn finished(error: &TaskError) -> EventKind {
    EventKind::Finished { state: error.state(), error: Some(error.clone()) }
}
