//! How threads come and go.

use std::{sync::Arc, time::Duration};

use outwork_core::{BuildError, Timer};

use super::{Struck, Worker};
use crate::{
    sync::{atomic::Ordering, thread},
    thread_pool::{backend::Shared, worker},
};

impl Shared {
    /// Starts the threads that have to be there.
    ///
    /// # Errors
    ///
    /// When the system refuses one.
    pub(in super::super) fn start_minimum(self: &Arc<Self>) -> Result<(), BuildError> {
        while let Some(worker) = self.roster.recruit(&self.name, &self.roster.minimum) {
            self.start(worker).map_err(|error| BuildError::system("a worker thread", &error))?;
        }
        Ok(())
    }

    /// Starts another thread when there are jobs in the queue and nobody to run them.
    pub(in super::super) fn grow_if_short(self: &Arc<Self>) {
        if self.roster.is_short_of_threads() && !self.queue.is_empty() && self.may_grow() {
            self.start_one();
        }
    }

    /// Starts a thread for each job in the queue, as far as there may be more.
    pub(in super::super) fn grow_for_queue(self: &Arc<Self>) {
        for _ in 0..self.queue.len() {
            if !self.roster.is_short_of_threads() || !self.start_one() {
                return;
            }
        }
    }

    /// Starts one thread if one is wanted; tries again later when the system refuses.
    pub(in super::super) fn start_one(self: &Arc<Self>) -> bool {
        let Some(worker) = self.roster.recruit(&self.name, &self.roster.target) else {
            return true;
        };
        let Err(error) = self.start(worker) else { return true };
        tracing::error!(%error, pool = %self.name, "a worker thread could not be started");
        let pool = Arc::downgrade(self);
        Timer::shared().after(Duration::from_millis(100), move || {
            if let Some(pool) = pool.upgrade().filter(|pool| pool.may_grow()) {
                pool.start_one();
            }
        });
        false
    }

    fn start(self: &Arc<Self>, worker: Arc<Worker>) -> std::io::Result<()> {
        let thread = thread::Builder::new().name(worker.name.to_string());
        let (shared, this) = (Arc::clone(self), Arc::clone(&worker));
        let started = thread.spawn(move || worker::work(&shared, &this));
        if started.is_err() {
            self.leave(&worker, true);
        }
        started.map(drop)
    }

    /// A thread leaves; the last one of a pool that closes turns the light off.
    pub(in super::super) fn leave(&self, worker: &Arc<Worker>, counted: bool) {
        let Struck { was_given_up, was_last } = self.roster.strike(worker);
        if counted && !was_given_up {
            self.roster.count.fetch_sub(1, Ordering::SeqCst);
        }
        if self.is_closing() && was_last {
            self.desert();
        }
        // The others look around in turn: for the end, for whether they are too many, and for
        // what this thread was nudged about.
        if self.is_closing() || self.roster.has_surplus() || !self.queue.is_empty() {
            self.queue.nudge();
        }
        worker.forget_token();
    }
}
