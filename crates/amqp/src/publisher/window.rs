//! [`Window`]: the messages that were sent and are not confirmed.

use std::time::Instant;

use slab::Slab;

use super::outgoing::Job;

/// The messages that were sent and are not confirmed, by place.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// `None` where the message was given up, and only its confirmation is still awaited.
    sent: Slab<Option<Sent>>,
}

#[derive(Debug)]
struct Sent {
    job: Job,
    at: Instant,
}

impl Window {
    pub(super) fn len(&self) -> usize {
        self.sent.len()
    }

    pub(super) fn add(&mut self, mut job: Job) -> usize {
        job.sent = true;
        self.sent.insert(Some(Sent { job, at: Instant::now() }))
    }

    /// Takes a message out whose confirmation has come.
    pub(super) fn take(&mut self, place: usize) -> Option<Job> {
        self.sent.try_remove(place).flatten().map(|sent| sent.job)
    }

    /// Gives up what has waited for as long as it may.
    pub(super) fn give_up_late(&mut self, now: Instant, blocked: bool) {
        for (_, place) in &mut self.sent {
            if place.as_ref().is_some_and(|sent| sent.job.is_late(now))
                && let Some(sent) = place.take()
            {
                sent.job.give_up(blocked);
            }
        }
    }

    /// When the oldest of them was sent.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.sent.iter().filter_map(|(_, place)| place.as_ref()).map(|sent| sent.at).min()
    }

    /// Takes everything out when the connection is lost, in the order of the places.
    pub(super) fn drain(&mut self) -> Vec<Job> {
        let mut sent: Vec<_> = self.sent.drain().flatten().collect();
        sent.sort_by_key(|sent| sent.at);
        sent.into_iter().map(|sent| sent.job).collect()
    }
}
