//! What closures and futures without a name have in common: events only when somebody asks.

use std::sync::OnceLock;

use outwork_core::{
    EventFilter, EventHub, EventKind, EventStream, JobHandle, LossReason, Rejection, State,
    TaskError, TaskErrorKind, TaskEvent, TaskId, WorkerLost,
};

/// The id and the events of work without a name. Neither is made before somebody asks.
#[derive(Default)]
pub(crate) struct Anonymous {
    asked: OnceLock<Asked>,
}

struct Asked {
    id: TaskId,
    hub: EventHub,
}

impl Anonymous {
    fn asked(&self) -> &Asked {
        self.asked.get_or_init(|| Asked { id: TaskId::new(), hub: EventHub::new() })
    }

    pub(crate) fn id(&self) -> TaskId {
        self.asked().id
    }

    /// The events from now on; none when it has ended.
    pub(crate) fn events(&self, state: impl FnOnce() -> State) -> EventStream {
        let hub = &self.asked().hub;
        let stream = hub.subscribe(EventFilter::all());
        if state().is_final() {
            hub.close();
        }
        stream
    }

    /// An address that nobody can attach to.
    pub(crate) fn job_handle(&self) -> JobHandle {
        JobHandle::new(self.id(), "anonymous")
    }

    /// Tells those who read the pool's events, and those who read this one's.
    pub(crate) fn emit(&self, pool: &EventHub, kind: impl FnOnce() -> EventKind) {
        if pool.is_active() || self.asked.get().is_some() {
            let event = self.event(kind());
            self.tell_own(&event);
            pool.emit(|| event);
        }
    }

    /// Tells those who read this one's events how it ended. Those who read the pool's are told
    /// by [`emit_end`](Self::emit_end), by whoever takes the dead entry out of the queue: a
    /// handle knows no pool.
    pub(crate) fn emit_own_end(&self, error: &TaskError) {
        if self.asked.get().is_some() {
            self.tell_own(&self.event(finished(error)));
        }
    }

    /// Tells those who read the pool's events how it had ended in the queue.
    pub(crate) fn emit_end(&self, pool: &EventHub, error: &TaskError) {
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

pub(crate) fn finished(error: &TaskError) -> EventKind {
    EventKind::Finished { state: error.state(), error: Some(error.clone()) }
}

/// The error of work that came after the pool was shut down.
pub(crate) fn rejected() -> TaskError {
    let kind = TaskErrorKind::Rejected(Rejection::Closed);
    TaskError::new(kind, "the pool is shut down and takes no more work")
}

/// The error of work that was given up at the pool's deadline.
pub(crate) fn abandoned() -> TaskError {
    let lost = WorkerLost { reason: LossReason::Abandoned, ..WorkerLost::default() };
    TaskError::lost(lost, "its body did not end by the executor's deadline")
}
