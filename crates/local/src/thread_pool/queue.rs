//! [`Queue`]: what waits for a thread, by priority.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, unbounded};
use outwork_core::Priority;

/// What waits for a thread. How much that can be is bounded by the executor's admission.
///
/// One channel carries a ticket for each job, so that a worker that receives a ticket owns
/// exactly one job, wherever that lies: in the ticket itself, which is where jobs of normal
/// priority travel, or in a lane. Jobs of other priorities lie in lanes, and a normal job
/// that a worker holds when it finds a more urgent one is put into a lane as well.
#[derive(Debug)]
pub(super) struct Queue<J> {
    send: Sender<Ticket<J>>,
    receive: Receiver<Ticket<J>>,
    /// How many jobs lie in lanes. A worker that reads it too early starts a job out of
    /// order; it cannot miss one, because that is what tickets are for.
    laned: AtomicUsize,
    lanes: Mutex<Lanes<J>>,
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
    low: VecDeque<J>,
    taken: u32,
}

/// Of so many jobs out of the lanes one is taken from the lowest, so that none is starved.
/// A prime, as in tokio's fairness interval, so that it does not beat with batch sizes.
const LOW_EVERY: u32 = 31;

impl<J> Lanes<J> {
    fn pop(&mut self) -> Option<J> {
        self.taken = self.taken.wrapping_add(1);
        if self.taken.is_multiple_of(LOW_EVERY) {
            let low = self.low.pop_front().or_else(|| self.normal.pop_front());
            return low.or_else(|| self.high.pop_front());
        }
        self.urgent().or_else(|| self.low.pop_front())
    }

    fn urgent(&mut self) -> Option<J> {
        self.high.pop_front().or_else(|| self.normal.pop_front())
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
        let (send, receive) = unbounded();
        let lanes = Lanes {
            high: VecDeque::new(),
            normal: VecDeque::new(),
            low: VecDeque::new(),
            taken: 0,
        };
        Self { send, receive, laned: AtomicUsize::new(0), lanes: Mutex::new(lanes) }
    }

    pub(super) fn push(&self, job: J, priority: Priority) {
        match priority {
            Priority::Normal => self.send(Ticket::Job(job)),
            Priority::High => self.push_lane(|lanes| lanes.high.push_back(job)),
            Priority::Low => self.push_lane(|lanes| lanes.low.push_back(job)),
        }
    }

    /// Wakes one worker that waits.
    pub(super) fn nudge(&self) {
        self.send(Ticket::Nudge);
    }

    fn push_lane(&self, push: impl FnOnce(&mut Lanes<J>)) {
        push(&mut self.lanes());
        self.laned.fetch_add(1, Ordering::Release);
        self.send(Ticket::Lane);
    }

    fn send(&self, ticket: Ticket<J>) {
        self.send.send(ticket).expect("the queue holds a receiver");
    }

    /// Takes a job if there is one now.
    pub(super) fn try_pop(&self) -> Option<J> {
        loop {
            match self.receive.try_recv() {
                Ok(Ticket::Nudge) => {}
                Ok(ticket) => return Some(self.redeem(ticket)),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return None,
            }
        }
    }

    /// Waits for a job, for ever or for a while.
    pub(super) fn pop(&self, timeout: Option<Duration>) -> Popped<J> {
        let ticket = match timeout {
            None => self.receive.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(timeout) => self.receive.recv_timeout(timeout),
        };
        match ticket {
            Ok(Ticket::Nudge) => Popped::Nudge,
            Ok(ticket) => Popped::Job(self.redeem(ticket)),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Popped::Idle,
        }
    }

    /// Turns a ticket into the most urgent job that is there.
    fn redeem(&self, ticket: Ticket<J>) -> J {
        match ticket {
            Ticket::Job(job) if self.laned.load(Ordering::Acquire) == 0 => job,
            Ticket::Job(job) => self.exchange(job),
            Ticket::Lane | Ticket::Nudge => self.take_laned(),
        }
    }

    /// Puts a normal job into its lane and takes the most urgent one out.
    fn exchange(&self, job: J) -> J {
        let mut lanes = self.lanes();
        lanes.normal.push_back(job);
        lanes.pop().expect("a job was just put in")
    }

    /// Takes the job that a lane's ticket stands for. A low one lets a normal one pass that
    /// still travels in the channel, and queues again for its own turn.
    fn take_laned(&self) -> J {
        let mut lanes = self.lanes();
        if lanes.high.is_empty() && lanes.normal.is_empty() && !lanes.low_is_due() {
            while let Ok(ticket) = self.receive.try_recv() {
                match ticket {
                    Ticket::Job(job) => {
                        lanes.taken = lanes.taken.wrapping_add(1);
                        self.send(Ticket::Lane);
                        return job;
                    }
                    // Another low one: its ticket is as good as ours.
                    Ticket::Lane => {
                        self.send(Ticket::Lane);
                        break;
                    }
                    Ticket::Nudge => {
                        self.send(Ticket::Nudge);
                        break;
                    }
                }
            }
        }
        self.laned.fetch_sub(1, Ordering::AcqRel);
        lanes.pop().expect("there are as many jobs in lanes as tickets for them")
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes<J>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J> Lanes<J> {
    const fn low_is_due(&self) -> bool {
        self.taken.wrapping_add(1).is_multiple_of(LOW_EVERY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(queue: &Queue<u32>) -> Vec<u32> {
        std::iter::from_fn(|| queue.try_pop()).collect()
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
    fn a_low_job_is_not_starved_by_a_flood_of_others() {
        for flood in [Priority::High, Priority::Normal] {
            let queue = Queue::new();
            queue.push(0, Priority::Low);
            for job in 1..200 {
                queue.push(job, flood);
            }
            let place = drain(&queue).iter().position(|job| *job == 0).unwrap();
            assert!(place < 2 * LOW_EVERY as usize, "{place} behind {flood:?}");
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
                        while let Popped::Job(job) = queue.pop(None) {
                            seen.push(job);
                        }
                        queue.nudge();
                        seen
                    })
                })
                .collect();
            for job in 0..30_000 {
                let priority = [Priority::Normal, Priority::High, Priority::Low][job as usize % 3];
                queue.push(job, priority);
            }
            while !queue.receive.is_empty() {
                std::thread::yield_now();
            }
            queue.nudge();
            workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
        });
        all.sort_unstable();
        assert_eq!(all, (0..30_000).collect::<Vec<_>>());
    }
}
