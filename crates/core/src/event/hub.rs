//! [`EventHub`]: from one executor to all who read its events.

use std::sync::{
    Arc, RwLock,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use async_channel::Sender;

use super::{EventFilter, EventStream, TaskEvent};

/// Gives each event to everybody who wants it, without ever waiting for a reader.
///
/// While nobody reads, an event costs one load.
#[derive(Debug, Default)]
pub struct EventHub {
    active: AtomicBool,
    readers: RwLock<Readers>,
}

#[derive(Debug, Default)]
struct Readers {
    list: Vec<Reader>,
    closed: bool,
}

#[derive(Debug)]
struct Reader {
    filter: EventFilter,
    channel: Sender<TaskEvent>,
    missed: Arc<AtomicU64>,
}

impl EventHub {
    /// A hub without readers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether anybody reads, and so whether an event is worth making.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.active.load(Ordering::Relaxed)
    }

    /// Starts to read. After [`close`](Self::close) the stream is empty.
    pub fn subscribe(&self, filter: EventFilter) -> EventStream {
        let (channel, events) = async_channel::bounded(filter.room());
        let missed = Arc::new(AtomicU64::new(0));
        let stream = EventStream::new(events, Arc::clone(&missed));
        let mut readers = self.readers.write().unwrap_or_else(|e| e.into_inner());
        if !readers.closed {
            readers.list.retain(|reader| !reader.channel.is_closed());
            readers.list.push(Reader { filter, channel, missed });
            self.active.store(true, Ordering::Relaxed);
        }
        stream
    }

    /// Tells an event. `make` is called only when somebody reads.
    pub fn emit(&self, make: impl FnOnce() -> TaskEvent) {
        if !self.is_active() {
            return;
        }
        let event = make();
        let readers = self.readers.read().unwrap_or_else(|e| e.into_inner());
        let mut gone = false;
        for reader in readers.list.iter().filter(|reader| reader.filter.wants(&event)) {
            gone |= !reader.send(event.clone());
        }
        drop(readers);
        if gone {
            self.forget_gone();
        }
    }

    fn forget_gone(&self) {
        let mut readers = self.readers.write().unwrap_or_else(|e| e.into_inner());
        readers.list.retain(|reader| !reader.channel.is_closed());
        self.active.store(!readers.list.is_empty(), Ordering::Relaxed);
    }

    /// Ends every stream once its reader has read what is there.
    pub fn close(&self) {
        let mut readers = self.readers.write().unwrap_or_else(|e| e.into_inner());
        readers.closed = true;
        readers.list.clear();
        self.active.store(false, Ordering::Relaxed);
    }
}

impl Reader {
    /// Sends without waiting; a full reader loses its oldest event and is told how many.
    /// Whether the reader is still there.
    fn send(&self, event: TaskEvent) -> bool {
        match self.channel.force_send(event) {
            Ok(None) => true,
            Ok(Some(_oldest)) => {
                self.missed.fetch_add(1, Ordering::Relaxed);
                true
            }
            Err(_gone) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EventKind, TaskId};

    #[test]
    fn an_event_that_nobody_reads_is_not_made() {
        let hub = EventHub::new();
        let never = || unreachable!("nobody reads");
        hub.emit(never);
        let mut events = hub.subscribe(EventFilter::all());
        hub.emit(|| TaskEvent::now(TaskId::new(), None, 0, EventKind::Submitted));
        assert!(crate::blocking::block_on(events.next()).is_some_and(|event| event.is_ok()));
        drop(events);
        // The first one after it left finds out that it has.
        hub.emit(|| TaskEvent::now(TaskId::new(), None, 0, EventKind::Submitted));
        hub.emit(never);
        hub.close();
        hub.emit(never);
    }
}
