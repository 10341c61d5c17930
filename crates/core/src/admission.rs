//! [`Admission`]: how many tasks an executor holds at once.

use std::{
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicIsize, Ordering},
    },
};

use event_listener::{Event, IntoNotification};

/// The room for tasks in flight: taken when a task is accepted, given back when it has ended.
///
/// What is in flight is thereby bounded whatever happens between: waiting for a worker,
/// for a delay, or for the next attempt.
#[derive(Debug)]
pub struct Admission {
    limit: usize,
    free: AtomicIsize,
    closed: AtomicBool,
    room: Event,
}

/// The place of one task. Dropping it makes room for another.
pub struct Slot {
    admission: Arc<Admission>,
}

/// Why there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoom {
    /// As many tasks as allowed are in flight.
    Full,
    /// No more tasks are taken.
    Closed,
}

impl Admission {
    /// Room for `limit` tasks.
    #[must_use]
    pub fn new(limit: usize) -> Arc<Self> {
        let free = isize::try_from(limit).unwrap_or(isize::MAX);
        Arc::new(Self {
            limit,
            free: AtomicIsize::new(free),
            closed: AtomicBool::new(false),
            room: Event::new(),
        })
    }

    /// How many tasks there is room for.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// How many tasks are in flight.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        let free = self.free.load(Ordering::Relaxed);
        usize::try_from(isize::try_from(self.limit).unwrap_or(isize::MAX) - free).unwrap_or(0)
    }

    /// Takes a place if there is one now.
    ///
    /// # Errors
    ///
    /// When there is none, or when no more tasks are taken.
    pub fn try_acquire(self: &Arc<Self>) -> Result<Slot, NoRoom> {
        if self.closed.load(Ordering::Acquire) {
            return Err(NoRoom::Closed);
        }
        // Taking first and giving back when it was one too many costs one step instead of
        // two where there is room; the dip below zero only makes others wait, never enter.
        if self.free.fetch_sub(1, Ordering::AcqRel) > 0 {
            return Ok(Slot { admission: Arc::clone(self) });
        }
        self.give_back();
        Err(NoRoom::Full)
    }

    /// Takes a place although there may be none: for work that was accepted before,
    /// and for workers that must not wait for themselves.
    #[must_use]
    pub fn acquire_beyond_limit(self: &Arc<Self>) -> Slot {
        self.free.fetch_sub(1, Ordering::AcqRel);
        Slot { admission: Arc::clone(self) }
    }

    /// Waits for a place.
    ///
    /// # Errors
    ///
    /// When no more tasks are taken.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future takes no place and lets the next in line have its turn.
    pub fn acquire(self: &Arc<Self>) -> impl Future<Output = Result<Slot, NoRoom>> + Send + use<> {
        let admission = Arc::clone(self);
        async move {
            loop {
                // Listening starts before the look, so that room that appears after the look
                // is heard of. A listener that was told of room and is dropped without having
                // waited passes the word on.
                let listener = admission.room.listen();
                match admission.try_acquire() {
                    Err(NoRoom::Full) => listener.await,
                    acquired => return acquired,
                }
            }
        }
    }

    /// Takes no more tasks, and tells those who wait.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.room.notify(usize::MAX);
    }

    /// Whether no more tasks are taken.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn give_back(&self) {
        if self.free.fetch_add(1, Ordering::AcqRel) >= 0 {
            self.room.notify(1.additional());
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.admission.give_back();
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slot")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocking::block_on;

    #[test]
    fn a_dropped_slot_makes_room() {
        let admission = Admission::new(1);
        let slot = admission.try_acquire().unwrap();
        assert_eq!(admission.try_acquire().unwrap_err(), NoRoom::Full);
        drop(slot);
        assert!(admission.try_acquire().is_ok());
    }

    #[test]
    fn those_who_wait_are_told_when_it_closes() {
        let admission = Admission::new(1);
        let _slot = admission.try_acquire().unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| block_on(admission.acquire()).unwrap_err());
            admission.close();
            assert_eq!(waiting.join().unwrap(), NoRoom::Closed);
        });
    }

    #[test]
    fn nobody_waits_for_ever_while_many_fight_for_few_places() {
        let admission = Admission::new(2);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        let slot = block_on(admission.acquire()).unwrap();
                        assert!(admission.in_flight() >= 1);
                        drop(slot);
                    }
                });
            }
        });
        assert_eq!(admission.in_flight(), 0);
    }

    #[test]
    fn work_beyond_the_limit_is_counted_and_given_back() {
        let admission = Admission::new(1);
        let slots = [admission.acquire_beyond_limit(), admission.acquire_beyond_limit()];
        assert_eq!(admission.in_flight(), 2);
        drop(slots);
        assert!(admission.try_acquire().is_ok());
    }
}
