//! [`EventHub`]: from one executor to all who read its events.

use std::sync::Arc;

use async_channel::Sender;

use super::{EventFilter, EventStream, TaskEvent};
use crate::sync::{
    RwLock, RwLockWriteGuard,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};

/// Gives each event to everybody who wants it, without ever waiting for a reader.
///
/// While nobody reads, an event costs one load.
///
/// An engine knows all its tasks and ends them before it closes the hub. Who has work that
/// nobody can list at every moment tells of it by [`begin`](Self::begin), [`go_on`](Self::go_on)
/// and [`end`](Self::end): the streams end only when what was begun has been told to its end.
#[derive(Debug, Default)]
pub struct EventHub {
    active: AtomicBool,
    /// How much was begun and has not ended. It grows only under the lock of the readers, and
    /// not once they are closed.
    open: AtomicUsize,
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
        self.tell(make, |readers| !readers.closed);
    }

    /// Tells the first event of something whose end will be told by [`end`](Self::end).
    ///
    /// `false`: nobody reads, or not any more. What follows is told by [`emit`](Self::emit).
    pub fn begin(&self, make: impl FnOnce() -> TaskEvent) -> bool {
        self.tell(make, |readers| {
            if !readers.closed {
                self.open.fetch_add(1, Ordering::SeqCst);
            }
            !readers.closed
        })
    }

    /// Tells an event of something that was begun, also while the hub closes.
    pub fn go_on(&self, make: impl FnOnce() -> TaskEvent) {
        self.tell(make, |_| true);
    }

    /// Tells the last event of something that was begun. To be called once.
    pub fn end(&self, make: impl FnOnce() -> TaskEvent) {
        self.go_on(make);
        if self.open.fetch_sub(1, Ordering::SeqCst) == 1 {
            let readers = self.readers.write().unwrap_or_else(|e| e.into_inner());
            self.forget_if_over(readers);
        }
    }

    /// Tells an event to those who want it, if it may be told; whether that was so.
    fn tell(
        &self,
        make: impl FnOnce() -> TaskEvent,
        may_tell: impl FnOnce(&Readers) -> bool,
    ) -> bool {
        if !self.is_active() {
            return false;
        }
        let event = make();
        let readers = self.readers.read().unwrap_or_else(|e| e.into_inner());
        if !may_tell(&readers) {
            return false;
        }
        let mut gone = false;
        for reader in readers.list.iter().filter(|reader| reader.filter.wants(&event)) {
            gone |= !reader.send(event.clone());
        }
        drop(readers);
        if gone {
            self.forget_gone();
        }
        true
    }

    fn forget_gone(&self) {
        let mut readers = self.readers.write().unwrap_or_else(|e| e.into_inner());
        readers.list.retain(|reader| !reader.channel.is_closed());
        self.active.store(!readers.list.is_empty(), Ordering::Relaxed);
    }

    /// Ends every stream once what was begun has ended and its reader has read what is there.
    pub fn close(&self) {
        let mut readers = self.readers.write().unwrap_or_else(|e| e.into_inner());
        readers.closed = true;
        self.forget_if_over(readers);
    }

    fn forget_if_over(&self, mut readers: RwLockWriteGuard<'_, Readers>) {
        if readers.closed && self.open.load(Ordering::SeqCst) == 0 {
            readers.list.clear();
            self.active.store(false, Ordering::Relaxed);
        }
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
    use std::time::Duration;

    use super::*;
    use crate::{EventKind, Lagged, State, TaskId};

    fn event(kind: EventKind) -> TaskEvent {
        TaskEvent::now(TaskId::new(), None, 1, kind)
    }

    fn last() -> TaskEvent {
        event(EventKind::Finished { state: State::Cancelled, error: None })
    }

    #[test]
    fn what_was_begun_is_told_to_its_end_although_the_hub_is_closed_meanwhile() {
        let hub = EventHub::new();
        let mut events = hub.subscribe(EventFilter::all());
        assert!(hub.begin(|| event(EventKind::Submitted)));
        hub.close();
        hub.emit(last);
        assert!(!hub.begin(|| event(EventKind::Submitted)), "nothing begins any more");
        hub.go_on(|| event(EventKind::Started { worker: None }));
        hub.end(last);
        let told = std::iter::from_fn(|| events.next_timeout(Duration::from_secs(30)));
        let told: Vec<_> = told.map(|event| event.unwrap().is_final()).collect();
        assert_eq!(told, [false, false, true]);
        assert!(!hub.is_active());
    }

    #[test]
    fn what_begins_unread_is_nothing_to_wait_for() {
        let hub = EventHub::new();
        assert!(!hub.begin(last));
        let mut events = hub.subscribe(EventFilter::all());
        hub.emit(last);
        hub.close();
        assert!(events.next_timeout(Duration::from_secs(30)).is_some());
        assert!(events.next_timeout(Duration::from_secs(30)).is_none());
    }

    #[test]
    fn what_was_told_can_be_read_without_waiting() {
        let hub = EventHub::new();
        let mut events = hub.subscribe(EventFilter::all().capacity(std::num::NonZeroUsize::MIN));
        assert!(events.try_next().is_none(), "nothing was told");
        (0..3).for_each(|_| hub.emit(|| event(EventKind::Submitted)));
        assert_eq!(events.try_next().unwrap().unwrap_err(), Lagged(2));
        assert!(!events.try_next().unwrap().unwrap().is_final());
        assert!(events.try_next().is_none(), "all was read");
        hub.emit(last);
        hub.close();
        assert!(events.try_next().unwrap().unwrap().is_final());
        assert!(events.try_next().is_none(), "it has ended");
    }

    #[test]
    fn an_event_that_nobody_reads_is_not_made() {
        let hub = EventHub::new();
        let never = || unreachable!("nobody reads");
        hub.emit(never);
        let mut events = hub.subscribe(EventFilter::all());
        hub.emit(|| event(EventKind::Submitted));
        assert!(crate::blocking::block_on(events.next()).is_some_and(|event| event.is_ok()));
        drop(events);
        // The first one after it left finds out that it has.
        hub.emit(|| event(EventKind::Submitted));
        hub.emit(never);
        hub.close();
        hub.emit(never);
    }
}
