//! [`Admission`]: how many tasks an executor holds at once.

use std::{fmt, future::Future, sync::Arc};

use event_listener::{Event, IntoNotification};

use crate::{
    own_line::OwnLine,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

/// The room for tasks in flight: taken when a task is accepted, given back when it has ended.
///
/// What is in flight is thereby bounded whatever happens between: waiting for a worker,
/// for a delay, or for the next attempt.
///
/// Those who enter and those who leave count in cache lines of their own. Who enters looks
/// into the other line only when the room seems to be used up by what was seen there last.
#[derive(Debug)]
pub struct Admission {
    limit: usize,
    closed: AtomicBool,
    room: Event,
    entries: OwnLine<Entries>,
    left: OwnLine<AtomicUsize>,
}

#[derive(Debug, Default)]
struct Entries {
    entered: AtomicUsize,
    /// A value that `left` had. It may be old, which makes the room look smaller.
    seen_left: AtomicUsize,
}

/// The place of one task. Dropping it makes room for another.
pub struct Slot {
    admission: Option<Arc<Admission>>,
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
        Arc::new(Self {
            limit,
            closed: AtomicBool::new(false),
            room: Event::new(),
            entries: OwnLine::default(),
            left: OwnLine::default(),
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
        let left = self.left.load(Ordering::Acquire);
        self.entries.entered.load(Ordering::Acquire).wrapping_sub(left)
    }

    /// Takes a place if there is one now.
    ///
    /// # Errors
    ///
    /// When there is none, or when no more tasks are taken.
    pub fn try_acquire(self: &Arc<Self>) -> Result<Slot, NoRoom> {
        self.try_enter()?;
        Ok(Slot { admission: Some(Arc::clone(self)) })
    }

    /// Takes a place that has to be given back by [`leave`](Self::leave).
    ///
    /// For those who keep the admission at hand anyway, and count a reference the less.
    ///
    /// # Errors
    ///
    /// As for [`try_acquire`](Self::try_acquire).
    pub fn try_enter(&self) -> Result<(), NoRoom> {
        self.try_enter_many(1)
    }

    /// Takes so many places at once, or none. Each has to be given back by
    /// [`leave`](Self::leave).
    ///
    /// # Errors
    ///
    /// As for [`try_acquire`](Self::try_acquire).
    pub fn try_enter_many(&self, places: usize) -> Result<(), NoRoom> {
        if self.is_closed() {
            return Err(NoRoom::Closed);
        }
        let Entries { entered, seen_left } = &*self.entries;
        let mut count = entered.load(Ordering::Relaxed);
        loop {
            let fits = |left: usize| in_flight(count, left).saturating_add(places) <= self.limit;
            if !fits(seen_left.load(Ordering::Relaxed)) {
                let left = self.left.load(Ordering::SeqCst);
                if !fits(left) {
                    return Err(NoRoom::Full);
                }
                seen_left.store(left, Ordering::Relaxed);
            }
            let next = count.wrapping_add(places);
            match entered.compare_exchange_weak(count, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(now) => count = now,
            }
        }
    }

    /// Takes a place although there may be none: for workers that must not wait for
    /// themselves. It has to be given back by [`leave`](Self::leave).
    pub fn enter_beyond_limit(&self) {
        self.entries.entered.fetch_add(1, Ordering::AcqRel);
    }

    /// The same as a slot, which gives it back.
    #[must_use]
    pub fn acquire_beyond_limit(self: &Arc<Self>) -> Slot {
        self.enter_beyond_limit();
        Slot { admission: Some(Arc::clone(self)) }
    }

    /// Gives a place back.
    pub fn leave(&self) {
        self.left.fetch_add(1, Ordering::SeqCst);
        self.room.notify(1.additional());
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
        self.closed.store(true, Ordering::SeqCst);
        self.room.notify(usize::MAX);
    }

    /// Whether no more tasks are taken.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }
}

/// How many of those who had entered are there when so many have left.
///
/// More may have left than had entered: others came and went between the two looks.
/// The room is not full then, and an exchange with the old count fails.
fn in_flight(entered: usize, left: usize) -> usize {
    let difference = entered.wrapping_sub(left);
    if difference > usize::MAX / 2 { 0 } else { difference }
}

impl Slot {
    /// Keeps the place taken; whoever has it now gives it back by [`Admission::leave`].
    pub fn entrust(mut self) {
        self.admission.take();
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(admission) = &self.admission {
            admission.leave();
        }
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
        admission.enter_beyond_limit();
        admission.enter_beyond_limit();
        assert_eq!(admission.in_flight(), 2);
        admission.leave();
        admission.leave();
        assert!(admission.try_acquire().is_ok());
    }
}
