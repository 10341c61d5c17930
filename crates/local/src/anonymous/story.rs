//! [`Story`]: the id and the events of work without a name.

use std::sync::OnceLock;

use outwork_core::{
    EventFilter, EventHub, EventKind, EventStream, JobHandle, State, TaskError, TaskEvent, TaskId,
};

use crate::sync::atomic::{AtomicBool, Ordering};

/// The id and the events of work without a name. Neither is made before somebody asks.
#[derive(Default)]
pub(super) struct Story {
    /// Boxed, because the lines of a closure travel between the cores.
    asked: OnceLock<Box<Asked>>,
}

struct Asked {
    id: TaskId,
    hub: EventHub,
    /// The pool's readers were told of its beginning, and have to be told of its end.
    is_open: AtomicBool,
}

impl Story {
    fn asked(&self) -> &Asked {
        self.asked.get_or_init(|| {
            Box::new(Asked {
                id: TaskId::new(),
                hub: EventHub::new(),
                is_open: AtomicBool::new(false),
            })
        })
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

    /// Tells those who read the pool's events that the pool has it.
    pub(super) fn begin(&self, pool: &EventHub) {
        if pool.is_active() && pool.begin(|| self.event(EventKind::Submitted)) {
            self.asked().is_open.store(true, Ordering::Relaxed);
        }
    }

    /// Tells those who read the pool's events, and those who read this one's.
    pub(super) fn emit(&self, pool: &EventHub, kind: impl FnOnce() -> EventKind) {
        if self.is_of_interest(pool) {
            let event = self.event(kind());
            self.tell_own(&event);
            self.tell_pool(pool, event);
        }
    }

    /// Whether anybody may read it, or the pool's events wait for its end.
    fn is_of_interest(&self, pool: &EventHub) -> bool {
        pool.is_active() || self.asked.get().is_some()
    }

    fn tell_pool(&self, pool: &EventHub, event: TaskEvent) {
        let is_open = &self.asked().is_open;
        if !is_open.load(Ordering::Relaxed) {
            pool.emit(|| event);
        } else if !event.is_final() {
            pool.go_on(|| event);
        } else if is_open.swap(false, Ordering::Relaxed) {
            pool.end(|| event);
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
        if self.is_of_interest(pool) {
            self.tell_pool(pool, self.event(finished(error)));
        }
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
