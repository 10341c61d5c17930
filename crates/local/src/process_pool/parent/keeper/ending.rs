//! The end of a child: what it still had to say, what it had not begun, and its number.

use std::{
    io::{Read, Seek},
    time::{Duration, Instant},
};

use rustix::process::{Signal, WaitId, WaitIdOptions, waitid};

use super::{Keeper, Kill, Stage, Tag};
use crate::{
    command::census,
    process_pool::{
        parent::{
            death::{self, Death},
            queue::Waiting,
        },
        wire::{FromChild, journal},
    },
};

/// How long a child may take to end once it has closed its channel.
const LAST_BREATH: Duration = Duration::from_millis(200);

impl Keeper {
    /// Settles everything. The order is that of what is known: first the end, then the last
    /// words, then whose task was lost, and last who takes its place.
    pub(super) fn end(&mut self) {
        self.ending = true;
        self.await_end();
        // The child is a zombie, so its number is its own, and that of its group.
        let killed = {
            let state = self.child.lock();
            self.child.signal(&state, Signal::KILL);
            state.killed.clone()
        };
        let begun = self.hear_last_words(killed.as_ref());
        let (left, counted, was_ready, was_leaving) = {
            let mut state = self.child.lock();
            state.kill_groups();
            let stage = std::mem::replace(&mut state.stage, Stage::Gone);
            state.at = None;
            let was_ready = stage != Stage::Greeting;
            (state.ledger.lose(begun), state.counted, was_ready, stage == Stage::Leaving)
        };
        // It has ended itself, because it found its channel closed, and this process did not.
        let hung_up = was_ready && self.refused.is_some();
        let death = self.reap(killed.or_else(|| hung_up.then_some(Kill::Disconnected)));
        tracing::debug!(worker = &*self.child.name, end = death.words(), "a worker has ended");
        self.pool.queue.forget(&self.child);
        let lost_task = self.lose_tasks(left.unheard, &death);
        let closing = was_leaving || self.pool.roster.is_closing();
        if was_ready {
            let useless = !closing && self.begun == 0 && !lost_task;
            let reason = || format!("{}, without having begun a task", death.words_with_stderr());
            self.pool.gone(&self.child, counted, useless.then(reason));
        } else {
            let reason = self
                .refused
                .take()
                .unwrap_or_else(|| format!("{} before it was ready", death.words_with_stderr()));
            self.pool.failed(Some(&self.child), reason);
        }
        self.requeue(left.unstarted);
    }

    /// Ends the tasks that it had begun and not ended; whether there were any.
    fn lose_tasks(&mut self, unheard: Vec<Waiting>, death: &Death) -> bool {
        let running = self.running.take().map(|running| running.attempt);
        let unheard = unheard.into_iter().map(|waiting| {
            // As far as anybody wants it still.
            let _ = waiting.attempt.begin(&self.child.name);
            waiting.attempt
        });
        let lost: Vec<_> = running.into_iter().chain(unheard).collect();
        let any = !lost.is_empty();
        for attempt in lost {
            attempt.finish_elsewhere(Err(death.of_task()));
        }
        any
    }

    /// Waits until the process has ended, and kills it if it only does not speak any more.
    fn await_end(&mut self) {
        let deadline = Instant::now() + LAST_BREATH;
        while !self.has_ended() {
            if Instant::now() >= deadline {
                let stage = self.child.lock().stage;
                let why = if stage == Stage::Leaving { Kill::Ordered } else { Kill::Disconnected };
                self.child.kill(why);
                let wait = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
                while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(self.child.pid), wait) {
                }
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn has_ended(&self) -> bool {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        // An error says that somebody else has reaped it.
        !matches!(waitid(WaitId::Pid(self.child.pid), look), Ok(None))
    }

    /// Hears what is left in the channel and, after that, in the journal. Gives the number of
    /// the task that was begun last.
    fn hear_last_words(&mut self, killed: Option<&Kill>) -> u64 {
        let mut kept = Vec::new();
        let read = self.journal.rewind().and_then(|()| {
            (&mut self.journal).take(journal::CAPACITY as u64).read_to_end(&mut kept)
        });
        if let Err(error) = read {
            tracing::error!(%error, "the journal of a worker cannot be read");
        }
        let begun = journal::begun(&kept);
        if matches!(killed, Some(Kill::Garbled(_))) {
            return begun;
        }
        let mut before = u64::MAX;
        while before != self.received {
            before = self.received;
            self.read();
        }
        let unread = journal::unread(&kept, self.received);
        self.decoder.feed(unread);
        while let Ok(Some(raw)) = self.decoder.next() {
            let heard = FromChild::read(raw).and_then(|word| self.hear_word(word));
            if heard.is_err() {
                break;
            }
        }
        begun
    }

    fn reap(&mut self, killed: Option<Kill>) -> Death {
        self.drain_captured();
        let tag = Tag { worker: &self.child.name, task: None };
        self.pipes.stdout.finish(None, tag);
        let stderr = self.pipes.stderr.finish(None, tag);
        let status = census::reap(self.child.pid, || (self.process.wait().ok(), true));
        let oom_kill = death::oom_kills() > self.oom_kills;
        Death { pid: self.child.pid, status, killed, oom_kill, stderr }
    }
}
