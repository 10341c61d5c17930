//! Room for closures and futures that are spawned rather than submitted.

use outwork_core::{
    Admission, NoRoom, Slot, WorkerScope,
    blocking::{awaiting, block_on},
    engine::{Backend, Engine},
};

/// Takes a place in a pool, waiting on this thread while there is none.
/// A worker of the pool never waits: it might wait for itself.
///
/// # Errors
///
/// When the pool is shut down.
pub(crate) fn enter<B: Backend>(engine: &Engine<B>) -> Result<(), NoRoom> {
    let admission = engine.admission();
    match admission.try_enter() {
        Err(NoRoom::Full) if WorkerScope::is_inside(engine.id()) => {
            admission.enter_beyond_limit();
            Ok(())
        }
        // What makes room may wait for the executor that this thread works for.
        Err(NoRoom::Full) => {
            block_on(awaiting(engine.id(), admission.acquire())).map(Slot::entrust)
        }
        entered => entered,
    }
}

/// Waits for a place in a pool. A worker of the pool never waits: it might wait for itself.
///
/// # Errors
///
/// When the pool is shut down.
pub(crate) async fn reserve<B: Backend>(engine: &Engine<B>) -> Result<Slot, NoRoom> {
    let admission = engine.admission();
    match admission.try_acquire() {
        Err(NoRoom::Full) if WorkerScope::is_inside(engine.id()) => {
            Ok(admission.acquire_beyond_limit())
        }
        Err(NoRoom::Full) => awaiting(engine.id(), admission.acquire()).await,
        acquired => acquired,
    }
}

/// The place of work that has left the queue, given back at the latest when this is dropped.
pub(crate) struct Place<'a>(Option<&'a Admission>);

impl<'a> Place<'a> {
    pub(crate) const fn of(admission: &'a Admission) -> Self {
        Self(Some(admission))
    }

    pub(crate) fn leave(&mut self) {
        if let Some(admission) = self.0.take() {
            admission.leave();
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}
