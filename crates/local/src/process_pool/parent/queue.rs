//! [`Queue`]: what waits for a child, and the children that wait for it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use outwork_core::{Priority, StreamTarget, TaskError, engine::Attempt};

use super::child::Child;

/// An attempt that no child has begun.
#[derive(Debug)]
pub(in super::super) struct Waiting {
    pub(super) attempt: Attempt,
    /// The place of its name among the registered ones.
    pub(super) place: u32,
    /// What comes before its body was done.
    pub(super) prepared: bool,
    /// Its number in the queue, so that what comes back goes where it was.
    ticket: u64,
}

impl Waiting {
    pub(super) const fn new(attempt: Attempt, place: u32) -> Self {
        Self { attempt, place, prepared: false, ticket: 0 }
    }

    /// Whether hooks, the recorder or files come before the body.
    pub(super) fn needs_preparation(&self) -> bool {
        let options = self.attempt.task().options();
        let is_file =
            |target: &Option<StreamTarget>| matches!(target, Some(StreamTarget::File { .. }));
        !self.prepared
            && (self.attempt.has_surroundings()
                || is_file(&options.stdout)
                || is_file(&options.stderr))
    }

    /// Whether it may wait in a child behind others: what expires must not begin unseen.
    pub(super) fn may_wait_there(&self) -> bool {
        self.attempt.task().options().expires.is_none()
    }

    /// Whether a child may have nothing else while it has this.
    pub(super) fn is_alone(&self) -> bool {
        let options = self.attempt.task().options();
        self.prepared
            || options.stdout.is_some()
            || options.stderr.is_some()
            || self.attempt.has_surroundings()
    }

    /// Ends it without its body.
    pub(super) fn fail(self, error: TaskError) {
        self.attempt.finish_elsewhere(Err(error));
    }

    /// Lets go of what nobody wants to be run any more.
    pub(super) fn drop_unrun(self) {
        if self.prepared {
            // What came before the body was done, so what comes after it is owed.
            self.fail(TaskError::cancelled());
        }
    }
}

/// What waits for a child, by priority. Locked inside of a child's state, never around it.
#[derive(Debug, Default)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    high: VecDeque<Waiting>,
    normal: VecDeque<Waiting>,
    low: VecDeque<Waiting>,
    taken: u32,
    tickets: u64,
    /// Children with nothing to do, while nothing waits.
    idle: Vec<Arc<Child>>,
    closed: bool,
    /// Why nobody will come and take something.
    broken: Option<String>,
}

/// What became of an attempt that was to be queued.
pub(super) enum Pushed {
    Queued,
    /// This child can take it at once.
    Idle(Arc<Child>),
    Closed(Waiting),
    Broken(Waiting, String),
}

/// Of so many one is taken from the lowest priority, so that none is starved.
const EVERY: u32 = 31;

impl Inner {
    fn lane(&mut self, priority: Priority) -> &mut VecDeque<Waiting> {
        match priority {
            Priority::High => &mut self.high,
            Priority::Normal => &mut self.normal,
            Priority::Low => &mut self.low,
        }
    }

    fn len(&self) -> usize {
        self.high.len() + self.normal.len() + self.low.len()
    }

    fn next_lane(&mut self) -> Option<&mut VecDeque<Waiting>> {
        let mut lanes = [&mut self.high, &mut self.normal, &mut self.low];
        if self.taken.wrapping_add(1).is_multiple_of(EVERY) {
            lanes.reverse();
        }
        lanes.into_iter().find(|lane| !lane.is_empty())
    }

    fn drain(&mut self) -> Vec<Waiting> {
        let Self { high, normal, low, .. } = self;
        high.drain(..).chain(normal.drain(..)).chain(low.drain(..)).collect()
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, mut waiting: Waiting) -> Pushed {
        let mut inner = self.lock();
        if inner.closed {
            return Pushed::Closed(waiting);
        }
        if let Some(why) = &inner.broken {
            return Pushed::Broken(waiting, why.clone());
        }
        inner.tickets += 1;
        waiting.ticket = inner.tickets;
        inner.lane(waiting.attempt.priority()).push_back(waiting);
        inner.idle.pop().map_or(Pushed::Queued, Pushed::Idle)
    }

    /// Queues what came back where it was; gives out what is not taken.
    pub(super) fn put_back(&self, returned: Vec<Waiting>) -> Vec<Waiting> {
        let mut inner = self.lock();
        if inner.closed {
            return returned;
        }
        for waiting in returned {
            let lane = inner.lane(waiting.attempt.priority());
            let place = lane.partition_point(|other| other.ticket < waiting.ticket);
            lane.insert(place, waiting);
        }
        Vec::new()
    }

    /// Takes from the front what fits, but no more than the share of one of so many children.
    pub(super) fn take(
        &self,
        sharers: usize,
        into: &mut Vec<Waiting>,
        mut fits: impl FnMut(&Waiting) -> bool,
    ) {
        let mut inner = self.lock();
        for _ in 0..inner.len().div_ceil(sharers.max(1)) {
            let Some(lane) = inner.next_lane() else { return };
            if !lane.front().is_some_and(&mut fits) {
                return;
            }
            into.extend(lane.pop_front());
            inner.taken = inner.taken.wrapping_add(1);
        }
    }

    /// Notes that a child is idle; `false` when there is something for it.
    pub(super) fn note_idle(&self, child: &Arc<Child>) -> bool {
        let mut inner = self.lock();
        if inner.len() > 0 {
            return false;
        }
        if !inner.idle.iter().any(|idle| Arc::ptr_eq(idle, child)) {
            inner.idle.push(Arc::clone(child));
        }
        true
    }

    /// A child that is idle although something waits.
    pub(super) fn take_idle(&self) -> Option<Arc<Child>> {
        let mut inner = self.lock();
        if inner.len() == 0 { None } else { inner.idle.pop() }
    }

    pub(super) fn forget(&self, child: &Arc<Child>) {
        self.lock().idle.retain(|idle| !Arc::ptr_eq(idle, child));
    }

    /// Takes nothing any more, and gives out what there is.
    pub(super) fn close(&self) -> Vec<Waiting> {
        let mut inner = self.lock();
        inner.closed = true;
        inner.drain()
    }

    /// Refuses everything for this reason, and gives out what there is.
    pub(super) fn break_with(&self, why: &str) -> Vec<Waiting> {
        let mut inner = self.lock();
        inner.broken = Some(why.to_owned());
        inner.drain()
    }

    /// Takes attempts again.
    pub(super) fn mend(&self) {
        self.lock().broken = None;
    }
}
