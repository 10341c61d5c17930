//! The side of the pool: a queue, and for each child a thread that keeps it.

mod child;
mod costs;
mod death;
mod keeper;
mod memory;
mod pipes;
mod program;
mod queue;
mod replay;
mod roster;
mod serve;
mod spawner;
mod stop;

pub(super) use program::Program;
pub(super) use queue::Waiting;

use std::{collections::HashMap, fmt, sync::Arc};

use outwork_core::{
    BuildError, Registry, TaskError, TaskErrorKind,
    engine::{Attempt, Close, WorkerToken},
};

use self::{
    costs::Costs,
    queue::{Pushed, Queue},
    roster::Roster,
};
use super::{builder::ProcessPoolSettings, health::WorkerHealth, wire::fingerprint};

/// What the threads of a pool share.
pub(super) struct Pool {
    pub(super) name: Arc<str>,
    pub(super) settings: ProcessPoolSettings,
    program: Program,
    fingerprint: u64,
    /// The places of the registered names in their order.
    places: HashMap<String, u32>,
    costs: Costs,
    queue: Queue,
    roster: Roster,
}

impl Pool {
    /// Makes a pool and starts its children, without waiting for them.
    ///
    /// # Errors
    ///
    /// When the system refuses a thread.
    pub(super) fn start(
        settings: ProcessPoolSettings,
        program: Program,
        registry: &Registry,
        token: WorkerToken,
    ) -> Result<Arc<Self>, BuildError> {
        let names = registry.iter().map(|task| task.name().as_str().to_owned());
        let places: HashMap<_, _> = names.zip(0..).collect();
        let (roster, orders) = Roster::new(settings.size());
        let pool = Arc::new(Self {
            name: Arc::from(&*settings.name),
            program,
            fingerprint: fingerprint(registry),
            costs: Costs::new(places.len()),
            places,
            queue: Queue::default(),
            roster,
            settings,
        });
        spawner::start(&pool, orders, token)?;
        pool.roster.order_all();
        Ok(pool)
    }

    /// Queues an attempt, and sends it at once if a child is idle.
    pub(super) fn push(self: &Arc<Self>, attempt: Attempt) {
        // The children know all names that the engine knows.
        let place = self.places.get(attempt.task().name().as_str()).copied().unwrap_or(u32::MAX);
        match self.queue.push(Waiting::new(attempt, place)) {
            Pushed::Queued => {}
            Pushed::Idle(child) => {
                if !self.serve(&child) {
                    self.rouse();
                }
            }
            Pushed::Closed(waiting) => waiting.drop_unrun(),
            Pushed::Broken(waiting, why) => waiting.fail(broken(&why)),
        }
    }

    /// Queues what came back unstarted where it was.
    fn put_back(self: &Arc<Self>, returned: Vec<Waiting>) {
        if returned.is_empty() {
            return;
        }
        let refused = self.queue.put_back(returned);
        refused.into_iter().for_each(Waiting::drop_unrun);
        if let Some(why) = self.roster.why_broken() {
            self.fail_queued(&why);
        }
        self.rouse();
    }

    /// Sends what is queued to children that are idle.
    fn rouse(self: &Arc<Self>) {
        while let Some(child) = self.queue.take_idle() {
            self.serve(&child);
        }
    }

    fn fail_queued(&self, why: &str) {
        let queued = self.queue.break_with(why);
        if self.roster.why_broken().is_none() {
            // A child has come meanwhile.
            self.queue.mend();
        }
        for waiting in queued {
            waiting.fail(broken(why));
        }
    }

    pub(super) fn close(&self, how: Close) {
        self.roster.close(how);
        // A drain closes the pool when all tasks have ended: what is queued then is dead.
        self.queue.close().into_iter().for_each(Waiting::drop_unrun);
        for child in self.roster.children() {
            match how {
                Close::Abandon => child.kill(child::Kill::Ordered),
                Close::Drain | Close::CancelQueued | Close::StopRunning => child.leave_if_free(),
            }
        }
    }

    pub(super) fn workers(&self) -> usize {
        self.roster.workers()
    }

    pub(super) fn health(&self) -> WorkerHealth {
        self.roster.health()
    }
}

/// The error of tasks that nobody can run.
fn broken(why: &str) -> TaskError {
    let message = format!("no worker of the process pool can be started: {why}");
    TaskError::new(TaskErrorKind::Infrastructure, message)
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("name", &self.name).finish_non_exhaustive()
    }
}
