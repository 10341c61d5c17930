//! [`Queue`]: what waits for a thread, by priority.

use std::{collections::VecDeque, sync::PoisonError, time::Duration};

use outwork_core::Priority;

use crate::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicUsize, Ordering},
    channel::{Receiver, Sender, after, never, select_biased, unbounded},
};

/// What waits for a thread. How much that can be is bounded by the executor's admission.
///
/// One channel carries a ticket for each job of normal or high priority, so that a worker that
/// receives a ticket owns exactly one job, wherever that lies: in the ticket itself, which is
/// where normal jobs travel, or in a lane. Jobs of high priority lie in a lane, and a normal
/// job that a worker holds when it finds a more urgent one is put into a lane as well.
/// Jobs of low priority have a channel of their own, which is looked at when the other is empty.
#[derive(Debug)]
pub(super) struct Queue<J> {
    tickets: Channel<Ticket<J>>,
    low: Channel<J>,
    /// Whether there ever was a low job, and so whether an idle worker has to wait for both.
    low_in_use: AtomicBool,
    /// How many jobs lie in lanes. A worker that reads it too early starts a job out of
    /// order; it cannot miss one, because that is what tickets are for.
    laned: AtomicUsize,
    lanes: Mutex<Lanes<J>>,
}

#[derive(Debug)]
struct Channel<M> {
    send: Sender<M>,
    receive: Receiver<M>,
}

impl<M> Channel<M> {
    fn new() -> Self {
        let (send, receive) = unbounded();
        Self { send, receive }
    }

    fn send(&self, message: M) {
        self.send.send(message).expect("the channel holds a receiver");
    }
}

#[derive(Debug)]
enum Ticket<J> {
    Job(J),
    Lane,
    Nudge,
}

#[derive(Debug)]
struct Lanes<J> {
    high: VecDeque<J>,
    normal: VecDeque<J>,
}

/// Counts what one worker has taken, to see when it is the turn of what would wait for ever.
#[derive(Debug, Default)]
pub(super) struct Turn {
    taken: u32,
}

impl Turn {
    /// Of so many jobs one is taken from the back of the precedence, so that none is starved.
    /// A prime, as in tokio's fairness interval, so that it does not beat with batch sizes.
    const EVERY: u32 = 31;

    fn is_of_the_last(&mut self) -> bool {
        self.taken = self.taken.wrapping_add(1);
        self.taken.is_multiple_of(Self::EVERY)
    }
}

/// What a wait for a job ended with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Popped<J> {
    Job(J),
    /// Somebody wants the worker to look around.
    Nudge,
    /// Nothing came in time.
    Idle,
}

impl<J> Queue<J> {
    pub(super) fn new() -> Self {
        Self {
            tickets: Channel::new(),
            low: Channel::new(),
            low_in_use: AtomicBool::new(false),
            laned: AtomicUsize::new(0),
            lanes: Mutex::new(Lanes { high: VecDeque::new(), normal: VecDeque::new() }),
        }
    }

    pub(super) fn push(&self, job: J, priority: Priority) {
        match priority {
            Priority::Normal => self.tickets.send(Ticket::Job(job)),
            Priority::High => {
                self.lanes().high.push_back(job);
                self.laned.fetch_add(1, Ordering::Release);
                self.tickets.send(Ticket::Lane);
            }
            Priority::Low => {
                self.low.send(job);
                // Workers that wait for tickets only have to learn that there is more.
                self.low_in_use.store(true, Ordering::SeqCst);
                self.nudge();
            }
        }
    }

    /// Wakes one worker that waits.
    ///
    /// Whoever receives the nudge looks around: for a job, and whether the pool closes or
    /// shrinks. One that goes off with a job instead [nudges](Self::nudge) the next, because
    /// the nudge may have been about something else: a job of low priority, which wakes nobody
    /// who does not know yet that there are such.
    pub(super) fn nudge(&self) {
        self.tickets.send(Ticket::Nudge);
    }

    /// How many jobs wait, nudges counted as well.
    pub(super) fn len(&self) -> usize {
        self.tickets.receive.len() + self.low.receive.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tickets.receive.is_empty() && self.low.receive.is_empty()
    }

    /// Takes a job if there is one now.
    pub(super) fn try_pop(&self, turn: &mut Turn) -> Option<J> {
        let last_first = turn.is_of_the_last();
        if last_first && let Ok(job) = self.low.receive.try_recv() {
            return Some(job);
        }
        let mut nudged = false;
        let job = loop {
            match self.tickets.receive.try_recv() {
                Ok(Ticket::Nudge) => nudged = true,
                Ok(ticket) => break Some(self.redeem(ticket, last_first)),
                Err(_empty) => break self.low.receive.try_recv().ok(),
            }
        };
        if nudged && job.is_some() {
            self.nudge();
        }
        job
    }

    /// Waits for a job, for ever or for a while.
    pub(super) fn pop(&self, timeout: Option<Duration>) -> Popped<J> {
        if self.low_in_use.load(Ordering::SeqCst) {
            return self.pop_either(timeout);
        }
        match timeout {
            None => self.tickets.receive.recv().map_or(Popped::Idle, |ticket| self.popped(ticket)),
            Some(timeout) => {
                let ticket = self.tickets.receive.recv_timeout(timeout);
                ticket.map_or(Popped::Idle, |ticket| self.popped(ticket))
            }
        }
    }

    fn pop_either(&self, timeout: Option<Duration>) -> Popped<J> {
        let time_up = timeout.map_or_else(never, after);
        select_biased! {
            recv(self.tickets.receive) -> ticket => {
                ticket.map_or(Popped::Idle, |ticket| self.popped(ticket))
            }
            recv(self.low.receive) -> job => job.map_or(Popped::Idle, Popped::Job),
            recv(time_up) -> _ => Popped::Idle,
        }
    }

    fn popped(&self, ticket: Ticket<J>) -> Popped<J> {
        match ticket {
            Ticket::Nudge => Popped::Nudge,
            ticket => Popped::Job(self.redeem(ticket, false)),
        }
    }

    /// Turns a ticket into the most urgent job that is there, or now and then the least.
    fn redeem(&self, ticket: Ticket<J>, last_first: bool) -> J {
        match ticket {
            Ticket::Job(job) if self.laned.load(Ordering::Acquire) == 0 => job,
            // Those of normal priority that lie in a lane came before this one.
            Ticket::Job(job) => {
                let mut lanes = self.lanes();
                lanes.normal.push_back(job);
                lanes.pop(last_first)
            }
            Ticket::Lane | Ticket::Nudge => {
                self.laned.fetch_sub(1, Ordering::AcqRel);
                self.lanes().pop(last_first)
            }
        }
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes<J>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J> Lanes<J> {
    /// There are as many jobs in lanes as tickets for them, and this was one.
    fn pop(&mut self, last_first: bool) -> J {
        let (first, second) = if last_first {
            (&mut self.normal, &mut self.high)
        } else {
            (&mut self.high, &mut self.normal)
        };
        first.pop_front().or_else(|| second.pop_front()).expect("a ticket stands for a job")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(queue: &Queue<u32>) -> Vec<u32> {
        let mut turn = Turn::default();
        std::iter::from_fn(|| queue.try_pop(&mut turn)).collect()
    }

    #[test]
    fn jobs_come_out_by_priority_and_in_order_within_one() {
        let queue = Queue::new();
        for (job, priority) in [
            (1, Priority::Normal),
            (2, Priority::Low),
            (3, Priority::High),
            (4, Priority::Normal),
            (5, Priority::High),
            (6, Priority::Low),
        ] {
            queue.push(job, priority);
        }
        assert_eq!(drain(&queue), [3, 5, 1, 4, 2, 6]);
    }

    #[test]
    fn jobs_of_one_priority_come_out_in_order_also_where_the_last_come_first() {
        let queue = Queue::new();
        for job in 0..400 {
            let priority = [Priority::Normal, Priority::High][job as usize % 2];
            queue.push(job, priority);
        }
        let drained = drain(&queue);
        for parity in [0, 1] {
            assert!(drained.iter().filter(|job| *job % 2 == parity).is_sorted());
        }
    }

    #[test]
    fn a_nudge_outlives_the_jobs_that_are_taken_before_somebody_looked_around() {
        let queue = Queue::new();
        queue.push(0, Priority::Normal);
        queue.nudge();
        queue.push(1, Priority::Normal);
        assert_eq!(drain(&queue).len(), 2);
        assert!(queue.is_empty(), "who finds no job has looked around");
        queue.nudge();
        queue.push(2, Priority::Normal);
        assert_eq!(queue.try_pop(&mut Turn::default()), Some(2));
        assert_eq!(queue.pop(None), Popped::Nudge);
    }

    #[test]
    fn no_job_is_starved_by_a_flood_of_more_urgent_ones() {
        for (starved, flood) in [
            (Priority::Low, Priority::High),
            (Priority::Low, Priority::Normal),
            (Priority::Normal, Priority::High),
        ] {
            let queue = Queue::new();
            queue.push(0, starved);
            for job in 1..200 {
                queue.push(job, flood);
            }
            let place = drain(&queue).iter().position(|job| *job == 0).unwrap();
            assert!(place < 2 * Turn::EVERY as usize, "{place} behind {flood:?}");
        }
    }

    #[test]
    fn no_job_is_lost_or_doubled_between_many_threads() {
        let queue = Queue::new();
        let mut all: Vec<u32> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        let mut seen = Vec::new();
                        let patience = Some(Duration::from_millis(500));
                        loop {
                            match queue.pop(patience) {
                                Popped::Job(job) => seen.push(job),
                                Popped::Nudge => {}
                                Popped::Idle => return seen,
                            }
                        }
                    })
                })
                .collect();
            for job in 0..30_000 {
                let priority = [Priority::Normal, Priority::High, Priority::Low][job as usize % 3];
                queue.push(job, priority);
            }
            workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
        });
        all.sort_unstable();
        assert_eq!(all, (0..30_000).collect::<Vec<_>>());
    }
}
