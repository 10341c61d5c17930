//! What each thread of the stress waits for, so that a hang can be told from patience.

use std::{
    cell::RefCell,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// What takes longer than this never comes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What one thread is at: the innermost last. A lock of its own, so that those who wait do not
/// wait for each other.
type Seat = Arc<Mutex<Vec<(String, Instant)>>>;

/// All threads that ever waited. Those of threads that are gone are empty.
static SEATS: Mutex<Vec<(String, Seat)>> = Mutex::new(Vec::new());

thread_local! {
    static SEAT: RefCell<Option<Seat>> = const { RefCell::new(None) };
}

/// Says what this thread is at until it is dropped.
#[must_use]
pub(crate) struct Waiting(Seat);

/// Says what this thread is at, from here on.
pub(crate) fn waiting(what: impl Into<String>) -> Waiting {
    let seat = SEAT.with_borrow_mut(|seat| Arc::clone(seat.get_or_insert_with(take_seat)));
    lock(&seat).push((what.into(), Instant::now()));
    Waiting(seat)
}

fn take_seat() -> Seat {
    let name = thread::current().name().unwrap_or("?").to_owned();
    let seat = Seat::default();
    lock(&SEATS).push((name, Arc::clone(&seat)));
    seat
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // Guards of one thread are dropped in the reverse order; one that travels with a future
        // is not, and takes off what is there: the time is the later one's then.
        lock(&self.0).pop();
    }
}

/// Forgets threads that are gone.
pub(crate) fn tidy() {
    lock(&SEATS).retain(|(_, seat)| Arc::strong_count(seat) > 1);
}

/// One line for each thread that is at something, if one has been for too long.
pub(crate) fn stuck() -> Vec<String> {
    let seats: Vec<_> =
        lock(&SEATS).iter().map(|(name, seat)| (name.clone(), lock(seat).clone())).collect();
    if !seats.iter().flat_map(|(_, seat)| seat).any(|(_, since)| since.elapsed() > PATIENCE) {
        return Vec::new();
    }
    seats
        .iter()
        .flat_map(|(name, seat)| seat.iter().map(move |at| (name, at)))
        .map(|(name, (what, since))| {
            format!("  {name}: {what}, for {:.1} s", since.elapsed().as_secs_f64())
        })
        .collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
