//! What a child says, and what is done about it.

use std::{sync::Arc, thread, time::Duration};

use outwork_core::{Payload, TaskError};

use super::{Keeper, Kill, Running, STDERR, STDOUT, Stage, task_of};
use crate::process_pool::{
    parent::{child::At, memory, queue::Waiting, replay::replay},
    wire::{FromChild, Ready, ToChild, WireError},
};

/// In nanoseconds.
const WORTH_TELLING: u32 = 50_000;

impl Keeper {
    /// # Errors
    ///
    /// When it cannot be true.
    pub(super) fn hear_word(&mut self, word: FromChild) -> Result<(), WireError> {
        match word {
            FromChild::Ready(ready) => self.greeted(ready),
            FromChild::Refused(why) => self.refused = Some(why),
            FromChild::Started { seq } => {
                let waiting = self.child.lock().ledger.start(seq)?;
                self.begin(seq, waiting);
            }
            FromChild::Done { seq, nanos, result } => self.finish(seq, nanos, Ok(result))?,
            FromChild::Failed { seq, nanos, error } => self.finish(seq, nanos, Err(error))?,
            FromChild::Returned { seq } => self.returned(seq)?,
            FromChild::Stdout { seq, bytes } => {
                if let Some(running) = self.at(seq) {
                    keep(running.attempt.context().stdout().write(&bytes));
                }
            }
            FromChild::Stderr { seq, bytes } => {
                if let Some(running) = self.at(seq) {
                    keep(running.attempt.context().stderr().write(&bytes));
                }
            }
            FromChild::Progress { seq, progress } => {
                if let Some(running) = self.at(seq) {
                    let ctx = running.attempt.context();
                    ctx.progress(progress.done, progress.total, progress.message);
                }
            }
            FromChild::JobHandle { seq, json } => self.keep_job_handle(seq, &json),
            FromChild::Spawned { group } => self.child.lock().adopt(group),
            FromChild::Reaped { group } => self.child.lock().forget(group),
            FromChild::Log { record, .. } => {
                replay(&record, &self.child.name, task_of(self.running.as_ref()));
            }
        }
        Ok(())
    }

    fn at(&self, seq: u64) -> Option<&Running> {
        self.running.as_ref().filter(|running| running.seq == seq)
    }

    fn greeted(&mut self, ready: Ready) {
        let hello = super::Hello::new(self.pool.fingerprint, super::frame_limit(&self.pool));
        if let Some(difference) = ready.differs_from(&hello) {
            self.refused = Some(difference);
            return self.child.kill(Kill::Ordered);
        }
        {
            let mut state = self.child.lock();
            if state.stage != Stage::Greeting {
                return;
            }
            state.stage = Stage::Working;
            state.counted = true;
        }
        self.deadline = None;
        self.pool.ready(&self.child);
    }

    fn begin(&mut self, seq: u64, waiting: Waiting) {
        let Waiting { attempt, place, .. } = waiting;
        let at = At { seq, key: attempt.key(), kind: attempt.kind() };
        self.child.lock().at = Some(at);
        self.begun += 1;
        if self.begun == 1 {
            self.pool.roster.is_of_use();
        }
        // One whose task has ended meanwhile, as at the deadline of a shutdown, goes on as one
        // that nobody waits for.
        let _ = attempt.begin(&self.child.name);
        self.running = Some(Running { seq, place, attempt });
        for stream in [STDOUT, STDERR] {
            if self.sink(stream).is_some() {
                self.give_printed(stream);
            }
        }
    }

    fn finish(
        &mut self,
        seq: u64,
        nanos: u32,
        result: Result<Payload, TaskError>,
    ) -> Result<(), WireError> {
        let unheard = self.child.lock().ledger.finish(seq)?;
        if let Some(waiting) = unheard {
            self.begin(seq, waiting);
        }
        // What the task has printed is in the pipes by now.
        self.drain_captured();
        let Some(running) = self.running.take() else { return Ok(()) };
        let recycle = self.is_to_be_recycled();
        {
            let mut state = self.child.lock();
            state.at = None;
            state.gave_back = false;
            if state.ledger.is_empty() {
                state.alone = false;
            }
            if recycle && state.stage == Stage::Working {
                state.stage = Stage::Retiring;
                state.counted = false;
            }
        }
        if recycle {
            self.pool.roster.retire(&self.child);
        }
        self.pool.costs.learn(running.place, nanos);
        // Shorter times are hardly longer than what it takes to hear of them.
        if nanos > WORTH_TELLING {
            running.attempt.ran_for(Duration::from_nanos(nanos.into()));
        }
        running.attempt.finish_elsewhere(result);
        Ok(())
    }

    /// Whether the child has more memory than one should have between two tasks.
    fn is_to_be_recycled(&self) -> bool {
        let Some(limit) = self.pool.settings.soft_memory_limit else { return false };
        let working = self.child.lock().stage == Stage::Working;
        working && memory::resident(self.child.pid).is_some_and(|used| used > limit.get())
    }

    fn returned(&mut self, seq: u64) -> Result<(), WireError> {
        let waiting = {
            let mut state = self.child.lock();
            let waiting = state.ledger.take_back(seq)?;
            state.sent = state.sent.saturating_sub(1);
            state.gave_back = state.at.is_some();
            if state.ledger.is_empty() {
                state.alone = false;
            }
            waiting
        };
        self.requeue(vec![waiting]);
        Ok(())
    }

    /// Queues what was not begun, unless it is not wanted any more.
    pub(super) fn requeue(&self, unstarted: Vec<Waiting>) {
        let wanted = |waiting: &Waiting| waiting.attempt.take_back();
        let (wanted, unwanted): (Vec<_>, Vec<_>) = unstarted.into_iter().partition(wanted);
        unwanted.into_iter().for_each(Waiting::drop_unrun);
        self.pool.put_back(wanted);
    }

    /// Keeps the task's own address on a thread that may wait for the recorder.
    fn keep_job_handle(&self, seq: u64, json: &[u8]) {
        let Some(running) = self.at(seq) else { return };
        let (ctx, child) = (running.attempt.context(), Arc::clone(&self.child));
        let handle = serde_json::from_slice::<serde_json::Value>(json);
        let keep = move || {
            let kept =
                handle.map_err(std::io::Error::from).and_then(|handle| ctx.set_job_handle(&handle));
            let refused = kept.err().map(|error| error.to_string());
            child.say(&ToChild::Answer { seq, refused });
        };
        let thread = thread::Builder::new().name("outwork-address".to_owned());
        if let Err(error) = thread.spawn(keep) {
            let refused = Some(format!("there is no thread to keep it: {error}"));
            self.child.say(&ToChild::Answer { seq, refused });
        }
    }
}

fn keep(written: std::io::Result<()>) {
    if let Err(error) = written {
        tracing::error!(%error, "the output of a task cannot be written");
    }
}
