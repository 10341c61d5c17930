//! What a thread of the pool does all day.

use std::sync::Arc;

use outwork_core::{
    BodyKind, TaskError, TaskErrorKind, WorkerScope,
    blocking::block_on,
    engine::{Attempt, contain_drop},
};

use super::{
    backend::{Job, Shared},
    closure::Here,
    queue::{Popped, Turn},
    roster::{Current, Spares, Worker},
};
use crate::runtime;

/// Takes jobs until the pool closes, shrinks, or gives this thread up.
pub(super) fn work(shared: &Arc<Shared>, worker: &Arc<Worker>) {
    let _scope = WorkerScope::enter(shared.id, Arc::new(Spares(Arc::clone(shared))));
    let mut leaving = Leaving { shared, worker, counted: true };
    let mut turn = Turn::default();
    loop {
        if shared.roster.leaves_as_surplus() {
            leaving.counted = false;
            return;
        }
        let Some(job) = next_job(shared, &mut leaving, &mut turn) else { return };
        if !run(shared, worker, job) {
            return;
        }
    }
}

/// Strikes the thread off the roster, however it leaves.
struct Leaving<'a> {
    shared: &'a Arc<Shared>,
    worker: &'a Arc<Worker>,
    /// Whether the count still has this thread, as far as the thread itself knows.
    counted: bool,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.shared.leave(self.worker, self.counted);
    }
}

/// Waits for a job; `None` when this thread is to leave.
fn next_job(shared: &Arc<Shared>, leaving: &mut Leaving<'_>, turn: &mut Turn) -> Option<Job> {
    let mut nudged = false;
    let job = loop {
        if shared.is_deserted() {
            // It was started while the last thread of a pool that closes left.
            shared.cancel_queued();
            return None;
        }
        if let Some(job) = shared.queue.try_pop(turn) {
            break job;
        }
        if shared.is_closing() {
            return None;
        }
        let idle = shared.roster.idle();
        // After the queue, which may have had the nudge that told of it.
        if shared.roster.leaves_as_surplus() {
            leaving.counted = false;
            return None;
        }
        let popped = shared.queue.pop(shared.roster.patience());
        drop(idle);
        match popped {
            Popped::Job(job) => break job,
            Popped::Nudge => nudged = true,
            Popped::Idle if shared.roster.leaves_as_idle() => {
                // Whoever queued a job while this thread still counted as idle started no
                // other: look once more before leaving.
                if shared.queue.is_empty() || !shared.roster.stays() {
                    leaving.counted = false;
                    return None;
                }
            }
            Popped::Idle => {}
        }
    };
    if nudged {
        shared.queue.nudge();
    }
    // Whoever queued the next one may have taken this thread for idle.
    shared.grow_if_short();
    Some(job)
}

/// Runs a job; `false` when the thread was given up meanwhile.
fn run(shared: &Shared, worker: &Worker, job: Job) -> bool {
    match job {
        Job::Closure(closure) => {
            let mut place = shared.place();
            if worker.now_at(Current::Closure(Arc::clone(&closure))) {
                let here = Here { worker: &worker.name, hub: &shared.hub };
                closure.run(here, &mut || place.leave());
            } else {
                closure.cancel_queued(&shared.hub);
            }
            let welcome = worker.now_at(Current::Other);
            // The last reference may drop the result of a handle that nobody kept.
            contain_drop(closure);
            welcome
        }
        Job::Attempt(attempt) => {
            let watched = attempt.time_limit().is_some();
            if watched {
                worker.now_at(Current::Attempt(attempt.key()));
            }
            run_attempt(shared, worker, attempt);
            !watched || worker.now_at(Current::Other)
        }
    }
}

fn run_attempt(shared: &Shared, worker: &Worker, attempt: Attempt) {
    let Err(attempt) = attempt.run_sync(&worker.name) else { return };
    // What has to be awaited may need timers and sockets.
    let alone = attempt.kind() == BodyKind::Command && !attempt.has_surroundings();
    if alone && let Some(runtime) = runtime::own() {
        return runtime.block_on(attempt.run(&worker.name, &shared.commands));
    }
    match runtime::shared() {
        Ok(runtime) => {
            let _entered = runtime.enter();
            block_on(attempt.run(&worker.name, &shared.commands));
        }
        Err(error) => {
            let message = format!("the body of the task cannot be run: {error}");
            attempt.finish_elsewhere(Err(TaskError::new(TaskErrorKind::Infrastructure, message)));
        }
    }
}
