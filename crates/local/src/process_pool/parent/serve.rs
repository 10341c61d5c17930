//! Giving tasks to children.

use std::{mem, sync::Arc, time::Duration};

use outwork_core::{
    TaskError,
    engine::{Attempt, Prepared},
};

use super::{
    Pool,
    child::{Child, Stage, State},
    queue::Waiting,
};
use crate::{
    process_pool::wire::{Extras, TaskFrame, ToChild},
    runtime,
};

/// A child is sent as many tasks ahead as it is expected to need so long for.
const AHEAD: Duration = Duration::from_micros(500);

/// How many bytes a child is sent ahead.
const BYTES_AHEAD: usize = 1024 * 1024;

/// How much more fits into what a child has been sent.
struct Room {
    tasks: usize,
    bytes: usize,
    time: Duration,
    is_empty: bool,
    is_full: bool,
}

impl Room {
    fn of(pool: &Pool, state: &State) -> Self {
        let window = pool.settings.window.max(1);
        let life = pool
            .settings
            .max_tasks_per_worker
            .map_or(u64::MAX, |most| most.get().saturating_sub(state.sent));
        Self {
            tasks: (window as usize)
                .saturating_sub(state.ledger.len())
                .min(usize::try_from(life).unwrap_or(usize::MAX)),
            bytes: BYTES_AHEAD.saturating_sub(state.ledger.bytes()),
            time: AHEAD.saturating_sub(state.ledger.expected()),
            is_empty: state.ledger.is_empty(),
            is_full: false,
        }
    }

    /// Whether one more fits; if so, it is in. An empty child takes whatever comes.
    fn takes(&mut self, waiting: &Waiting, bytes: usize, time: Duration) -> bool {
        let is_alone = waiting.is_alone();
        let may_wait = !is_alone && waiting.may_wait_there();
        let fits = self.is_empty || (may_wait && bytes <= self.bytes && time <= self.time);
        if self.is_full || self.tasks == 0 || !fits {
            return false;
        }
        self.is_full = is_alone;
        self.is_empty = false;
        self.tasks -= 1;
        self.bytes = self.bytes.saturating_sub(bytes);
        self.time = self.time.saturating_sub(time);
        true
    }
}

impl Pool {
    /// Gives a child what it has room for; whether it takes tasks at all.
    ///
    /// A child that gets nothing is noted as idle, or leaves when the pool closes. One that takes
    /// none leaves when it has done what it had.
    pub(super) fn serve(self: &Arc<Self>, child: &Arc<Child>) -> bool {
        let mut unwanted = Vec::new();
        let mut to_prepare = None;
        let mut retires = false;
        {
            let mut state = child.lock();
            if !state.takes_tasks() {
                self.let_go(child, &mut state);
                return false;
            }
            loop {
                let mut batch = self.take_batch(&mut state);
                let got_nothing = batch.is_empty();
                for waiting in batch.drain(..) {
                    if waiting.needs_preparation() {
                        state.alone = true;
                        to_prepare = Some(waiting);
                    } else if let Err(refused) = self.send(&mut state, waiting) {
                        unwanted.push(refused);
                    }
                }
                state.batch = batch;
                if !state.is_free() {
                    break;
                }
                if got_nothing && self.rest(child, &mut state) {
                    break;
                }
            }
            if self.has_served_its_time(&state) {
                state.stage = Stage::Retiring;
                state.counted = false;
                retires = true;
            }
            child.flush(&mut state);
        }
        unwanted.into_iter().for_each(Waiting::drop_unrun);
        if retires {
            self.roster.retire(child);
        }
        if let Some(waiting) = to_prepare {
            runtime::drive(Box::pin(Arc::clone(self).prepare(Arc::clone(child), waiting)));
        }
        true
    }

    /// Tells a child to leave that has retired and has nothing to do any more, whether it has
    /// ended its last task or given it back.
    fn let_go(&self, child: &Child, state: &mut State) {
        let is_replaced = state.stage == Stage::Retired;
        let nobody_comes = state.stage == Stage::Retiring && self.roster.is_closing();
        if state.is_free() && (is_replaced || nobody_comes) {
            child.leave(state);
        }
    }

    fn take_batch(&self, state: &mut State) -> Vec<Waiting> {
        let mut batch = mem::take(&mut state.batch);
        let mut room = Room::of(self, state);
        self.queue.take(self.roster.sharers(), &mut batch, |waiting| {
            let time = self.costs.expected(waiting.place);
            room.takes(waiting, waiting.attempt.task().payload().len(), time)
        });
        batch
    }

    /// Notes that a child has nothing to do; `false` when there is something after all.
    fn rest(&self, child: &Arc<Child>, state: &mut State) -> bool {
        if self.roster.is_closing() {
            child.leave(state);
            return true;
        }
        self.queue.note_idle(child)
    }

    fn has_served_its_time(&self, state: &State) -> bool {
        state.stage == Stage::Working
            && self.settings.max_tasks_per_worker.is_some_and(|most| state.sent >= most.get())
    }

    /// Hands a task over and puts it among what is to be written; gives it back if it is not
    /// wanted any more.
    fn send(&self, state: &mut State, waiting: Waiting) -> Result<(), Waiting> {
        if !waiting.attempt.hand_over() {
            return Err(waiting);
        }
        let place = waiting.place;
        let alone = waiting.is_alone();
        let mut frame = frame(&waiting.attempt, place, alone);
        let bytes = frame.payload.len();
        let time = self.costs.expected(place);
        frame.seq = state.ledger.send(waiting, bytes, time);
        state.alone |= alone;
        state.sent += 1;
        ToChild::Task(frame).put(&mut state.outbox);
        Ok(())
    }

    /// Does what comes before a body, and then sends it to the child that is kept for it.
    async fn prepare(self: Arc<Self>, child: Arc<Child>, mut waiting: Waiting) {
        let prepared = waiting.attempt.prepare().await;
        let end = match prepared {
            Prepared::Ready => {
                waiting.prepared = true;
                return self.send_prepared(&child, waiting);
            }
            Prepared::Unwanted => None,
            Prepared::Failed(error) => Some(error),
        };
        child.lock().alone = false;
        match end {
            None => drop(waiting),
            Some(error) => waiting.attempt.finish(Err(error)).await,
        }
        self.serve(&child);
        // The child may be gone, and the queue have more than that.
        self.rouse();
    }

    fn send_prepared(self: &Arc<Self>, child: &Arc<Child>, waiting: Waiting) {
        let mut state = child.lock();
        if !matches!(state.stage, Stage::Working | Stage::Retiring | Stage::Retired) {
            drop(state);
            return self.put_back(vec![waiting]);
        }
        match self.send(&mut state, waiting) {
            Ok(()) => child.flush(&mut state),
            Err(refused) => {
                state.alone = false;
                drop(state);
                refused.fail(TaskError::cancelled());
                self.serve(child);
            }
        }
    }
}

fn frame(attempt: &Attempt, place: u32, alone: bool) -> TaskFrame {
    let task = attempt.task();
    let options = task.options();
    let extras = Extras {
        metadata: task.metadata().clone(),
        cache_dir: options.cache_dir.clone(),
        trace: options.trace.clone(),
    };
    TaskFrame {
        seq: 0,
        task: place,
        attempt: attempt.key().attempt,
        id: task.id(),
        payload: task.payload().clone(),
        tell_start: alone || options.time_limit.is_some(),
        capture_stdout: options.stdout.is_some(),
        capture_stderr: options.stderr.is_some(),
        extras: (extras != Extras::default()).then_some(extras),
    }
}
