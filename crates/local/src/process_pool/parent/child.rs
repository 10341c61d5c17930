//! [`Child`]: a child process, as everybody in the pool may reach it.

use std::{
    collections::HashSet,
    io::{self, PipeWriter, Write},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use outwork_core::{BodyKind, engine::AttemptKey};
use rustix::process::{Pid, Signal, kill_process_group};

use super::{
    super::{
        sys,
        wire::{Ledger, Outbox, ToChild},
    },
    queue::Waiting,
};
use crate::command::census;

/// A child process, with the pool's end of its channel.
///
/// Its thread reads the channel; whoever has something to say writes it at once, and leaves to
/// that thread what the channel has no room for.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) pid: Pid,
    /// The worker's name in events and outcomes.
    pub(super) name: Arc<str>,
    socket: OwnedFd,
    wake: PipeWriter,
    state: Mutex<State>,
}

/// What is known of a child. Locked inside of no other lock of the pool.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) stage: Stage,
    pub(super) ledger: Ledger<Waiting>,
    pub(super) outbox: Outbox,
    /// The task that it is at.
    pub(super) at: Option<At>,
    /// It has a task, or is kept for one, that nothing may come beside.
    pub(super) alone: bool,
    /// It has given tasks back, because the one that it is at takes long.
    pub(super) gave_back: bool,
    /// How many tasks it was sent, apart from those that it gave back.
    pub(super) sent: u64,
    /// The groups of the programs that its tasks have started.
    groups: HashSet<Pid>,
    pub(super) killed: Option<Kill>,
    /// It has nothing to do, and its thread does not look after it until it is woken.
    pub(super) is_unwatched: bool,
    /// It is counted among those that take tasks.
    pub(super) counted: bool,
    pub(super) batch: Vec<Waiting>,
}

/// Where a child is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Stage {
    /// It has not said that it can work.
    #[default]
    Greeting,
    Working,
    /// It takes no more tasks, and leaves when another one has come.
    Retiring,
    /// Another one has come.
    Retired,
    /// It was told to leave.
    Leaving,
    /// It has ended, and its number is about to be given back.
    Gone,
}

/// The task that a child is at.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    pub(super) seq: u64,
    pub(super) key: AttemptKey,
    pub(super) kind: BodyKind,
}

/// Why a child was killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kill {
    /// The engine wants the task to stop, or the pool to end.
    Ordered,
    /// It has more memory than it may.
    Memory { limit: u64, used: u64 },
    /// What it says is not the protocol.
    Garbled(String),
    /// It closed its channel.
    Disconnected,
    /// It did not get ready in time.
    NotReady,
    /// It began none of the tasks that it was sent.
    Silent,
}

impl Child {
    pub(super) fn new(pid: Pid, name: Arc<str>, socket: OwnedFd, wake: PipeWriter) -> Self {
        Self { pid, name, socket, wake, state: Mutex::default() }
    }

    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says something.
    pub(super) fn say(&self, word: &ToChild) {
        let mut state = self.lock();
        word.put(&mut state.outbox);
        self.flush(&mut state);
    }

    /// Writes what the channel has room for, and wakes the child's thread for the rest, or to
    /// look after what becomes of it.
    pub(super) fn flush(&self, state: &mut State) {
        let is_left = self.write(state);
        if is_left || state.is_unwatched {
            state.is_unwatched = false;
            // A full pipe wakes it as well.
            let _ = (&self.wake).write(&[0]);
        }
    }

    /// Writes what the channel has room for; whether something is left.
    pub(super) fn write(&self, state: &mut State) -> bool {
        while !state.outbox.is_empty() {
            match state.outbox.write_with(|pieces| sys::send(&self.socket, pieces, false)) {
                Ok(sent) => state.outbox.advance(sent),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(_) => {
                    // It is gone, as its thread will see.
                    state.outbox = Outbox::default();
                }
            }
        }
        false
    }

    /// Tells a child to leave that has nothing to do.
    pub(super) fn leave_if_free(&self) {
        let mut state = self.lock();
        if state.is_free() {
            self.leave(&mut state);
        }
    }

    pub(super) fn leave(&self, state: &mut State) {
        if matches!(
            state.stage,
            Stage::Working | Stage::Retiring | Stage::Retired | Stage::Greeting
        ) {
            state.stage = Stage::Leaving;
            ToChild::Leave.put(&mut state.outbox);
            self.flush(state);
            // Its thread counts from now on.
            let _ = (&self.wake).write(&[0]);
        }
    }

    /// Another one has come for it.
    pub(super) fn retire_for_good(&self) {
        let mut state = self.lock();
        if state.stage == Stage::Retiring {
            state.stage = Stage::Retired;
            if state.is_free() {
                self.leave(&mut state);
            }
        }
    }

    /// Sends a signal to the child and what it has started in its own group.
    pub(super) fn signal(&self, state: &State, signal: Signal) {
        // Until it is reaped its number belongs to it.
        if state.stage != Stage::Gone {
            let _ = kill_process_group(self.pid, signal);
        }
    }

    /// Kills the child with everything that it has started.
    pub(super) fn kill(&self, why: Kill) {
        self.kill_locked(&mut self.lock(), why);
    }

    pub(super) fn kill_locked(&self, state: &mut State, why: Kill) {
        if state.stage == Stage::Gone {
            return;
        }
        state.killed.get_or_insert(why);
        self.signal(state, Signal::KILL);
        state.kill_groups();
    }
}

impl State {
    /// Whether it may be sent tasks.
    pub(super) const fn takes_tasks(&self) -> bool {
        matches!(self.stage, Stage::Working)
            && !self.alone
            && !self.gave_back
            && self.killed.is_none()
    }

    /// Whether it has nothing to do.
    pub(super) fn is_free(&self) -> bool {
        self.ledger.is_empty() && !self.alone
    }

    /// Knows of a program that its task has started.
    pub(super) fn adopt(&mut self, group: u32) {
        let Some(group) = group_of(group) else { return };
        self.groups.insert(group);
        census::adopt(group);
        if self.killed.is_some() {
            self.kill_groups();
        }
    }

    /// The program is gone.
    pub(super) fn forget(&mut self, group: u32) {
        if let Some(group) = group_of(group) {
            self.groups.remove(&group);
            census::forget(group);
        }
    }

    /// Kills the programs that its tasks have started.
    pub(super) fn kill_groups(&mut self) {
        for group in self.groups.drain() {
            let _ = kill_process_group(group, Signal::KILL);
            census::forget(group);
        }
    }
}

/// Neither this process's own group, which is 0, nor that of init.
fn group_of(number: u32) -> Option<Pid> {
    let group = i32::try_from(number).ok().and_then(Pid::from_raw);
    group.filter(|group| !group.is_init())
}
