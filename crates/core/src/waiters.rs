//! [`Waiters`]: the wakers of those who wait for one thing.

use std::{sync::PoisonError, task::Waker};

use crate::sync::{Mutex, MutexGuard};

/// Wakers under a lock, by place. One waiter, the usual case, needs no allocation.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    list: Mutex<WakerList>,
}

/// The place of one waiter. It belongs to one list for its whole life.
#[derive(Debug, Default)]
pub struct WaitKey {
    place: Option<usize>,
}

impl WaitKey {
    pub(crate) const fn is_registered(&self) -> bool {
        self.place.is_some()
    }
}

/// The list itself, for those who have a lock of their own around it.
#[derive(Debug, Default)]
pub(crate) struct WakerList {
    first: Place,
    more: Vec<Place>,
}

#[derive(Debug, Default)]
enum Place {
    #[default]
    Free,
    Taken(Option<Waker>),
}

impl Place {
    fn is_free(&self) -> bool {
        matches!(self, Self::Free)
    }

    fn take(&mut self) -> Option<Waker> {
        match self {
            Self::Free => None,
            Self::Taken(waker) => waker.take(),
        }
    }
}

impl WakerList {
    /// Puts a waker into the key's place, or into a new one.
    ///
    /// What was there is given away, to be dropped once no lock is held: the last reference to
    /// a waker may drop a future, and that the handle whose list this is.
    #[must_use]
    pub(crate) fn register(&mut self, key: &mut WaitKey, waker: &Waker) -> Option<Waker> {
        let place = *key.place.get_or_insert_with(|| self.free_place());
        match self.place(place) {
            Place::Taken(Some(old)) if old.will_wake(waker) => None,
            slot => std::mem::replace(slot, Place::Taken(Some(waker.clone()))).take(),
        }
    }

    fn free_place(&mut self) -> usize {
        if self.first.is_free() {
            return 0;
        }
        match self.more.iter().position(Place::is_free) {
            Some(index) => index + 1,
            None => {
                self.more.push(Place::Free);
                self.more.len()
            }
        }
    }

    fn place(&mut self, place: usize) -> &mut Place {
        match place {
            0 => &mut self.first,
            _ => &mut self.more[place - 1],
        }
    }

    /// Gives the key's place back, and away what is in it, to be dropped once no lock is held.
    #[must_use]
    pub(crate) fn forget(&mut self, key: &mut WaitKey) -> Option<Waker> {
        let place = key.place.take()?;
        std::mem::take(self.place(place)).take()
    }

    /// How many waiters it has had room for at once.
    #[cfg(test)]
    pub(crate) const fn places(&self) -> usize {
        1 + self.more.len()
    }

    /// Takes all wakers out, to be woken once no lock is held.
    pub(crate) fn take(&mut self) -> Wakers {
        let more = self.more.iter_mut().filter_map(Place::take).collect();
        Wakers { first: self.first.take(), more }
    }
}

/// Wakers on their way out of a lock.
#[must_use = "those who wait have to be woken"]
pub(crate) struct Wakers {
    first: Option<Waker>,
    more: Vec<Waker>,
}

impl Wakers {
    pub(crate) fn wake(self) {
        self.first.into_iter().chain(self.more).for_each(Waker::wake);
    }
}

impl Waiters {
    pub(crate) fn register(&self, key: &mut WaitKey, waker: &Waker) {
        let old = self.lock().register(key, waker);
        drop(old);
    }

    pub(crate) fn forget(&self, key: &mut WaitKey) {
        if key.place.is_some() {
            let old = self.lock().forget(key);
            drop(old);
        }
    }

    pub(crate) fn wake_all(&self) {
        let wakers = self.lock().take();
        wakers.wake();
    }

    fn lock(&self) -> MutexGuard<'_, WakerList> {
        lock(&self.list)
    }
}

/// Locks, and goes on after a panic elsewhere: no user code runs under these locks,
/// so what they guard is whole whenever it can be seen.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn every_waiter_is_woken_once_and_those_who_left_are_not() {
        let waiters = Waiters::default();
        let counts: Vec<_> = (0..3).map(|_| Arc::new(Count::default())).collect();
        let mut keys: Vec<_> = (0..3).map(|_| WaitKey::default()).collect();
        for (key, count) in keys.iter_mut().zip(&counts) {
            waiters.register(key, &Waker::from(Arc::clone(count)));
            waiters.register(key, &Waker::from(Arc::clone(count)));
        }
        waiters.forget(&mut keys[1]);
        waiters.wake_all();
        waiters.wake_all();
        let woken: Vec<_> = counts.iter().map(|c| c.0.load(Ordering::Relaxed)).collect();
        assert_eq!(woken, [1, 0, 1]);
    }

    /// Looks, when it is dropped, whether the list is free.
    struct Nosy {
        waiters: Arc<Waiters>,
        locked: Arc<AtomicUsize>,
    }

    impl Wake for Nosy {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for Nosy {
        fn drop(&mut self) {
            let locked = self.waiters.list.try_lock().is_err();
            self.locked.fetch_add(usize::from(locked), Ordering::Relaxed);
        }
    }

    #[test]
    fn no_waker_is_dropped_under_the_lock() {
        let (waiters, locked) = (Arc::new(Waiters::default()), Arc::default());
        let nosy = || {
            Waker::from(Arc::new(Nosy {
                waiters: Arc::clone(&waiters),
                locked: Arc::clone(&locked),
            }))
        };
        let mut key = WaitKey::default();
        waiters.register(&mut key, &nosy());
        waiters.register(&mut key, &nosy());
        waiters.forget(&mut key);
        waiters.register(&mut key, &nosy());
        waiters.wake_all();
        assert_eq!(locked.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn places_are_used_again() {
        let waiters = Waiters::default();
        for _ in 0..1000 {
            let (mut a, mut b) = (WaitKey::default(), WaitKey::default());
            waiters.register(&mut a, Waker::noop());
            waiters.register(&mut b, Waker::noop());
            waiters.forget(&mut b);
            waiters.forget(&mut a);
        }
        assert_eq!(waiters.lock().places(), 2);
    }
}
