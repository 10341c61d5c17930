//! [`Census`]: the programs that commands of this process run, and whether more may be started.

use std::{
    collections::HashSet,
    fmt, io,
    sync::{LazyLock, PoisonError},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};

use super::{unborn, watch};
use crate::sync::{Condvar, Mutex, MutexGuard};

/// How long a pause waits for a start that is under way. It takes a tenth of a millisecond,
/// and when it is stuck it is freed after one.
const START_PATIENCE: Duration = Duration::from_secs(1);
const START_LOOK: Duration = Duration::from_millis(1);

/// The one of this process.
static CENSUS: LazyLock<Census<System>> = LazyLock::new(|| Census::new(System, START_PATIENCE));

/// The programs of this process, stopped; see [`pause_commands`].
#[derive(Debug)]
#[must_use = "they go on when this is dropped"]
pub struct PausedCommands {
    _pause: Pause<'static, System>,
}

/// Stops every program that commands of this process run, with all of its group, by SIGSTOP;
/// until this is dropped none is started either, and whoever wants to start one waits.
/// The workers of process pools are stopped too, with the programs that they run.
///
/// For a program that is stopped by Ctrl-Z and handles SIGTSTP: what it runs is in groups of its
/// own, which the terminal does not reach. It should call this before it stops itself, because a
/// child that SIGTSTP hits on its way from `fork` to `exec` stops there, and with it for ever the
/// thread that waits for the `exec`. Here such a child is freed.
///
/// Time limits run on. A second pause waits for the end of the first.
pub fn pause_commands() -> PausedCommands {
    PausedCommands { _pause: CENSUS.pause() }
}

/// Starts a program, once that is allowed, and counts it.
pub(crate) fn start<T>(
    spawn: impl FnOnce() -> io::Result<T>,
    pid: impl Fn(&T) -> Pid,
) -> io::Result<T> {
    CENSUS.start(|| watch::start(spawn, &pid), &pid)
}

/// Reaps a program, by `reap`, which says whether it did: from then on its number may be
/// somebody else's.
pub(crate) fn reap<T>(pid: Pid, reap: impl FnOnce() -> (T, bool)) -> T {
    let (result, reaped) = CENSUS.reap(pid, reap);
    if reaped {
        watch::reaped(pid);
    }
    result
}

/// Counts a program that a worker of this process has started.
pub(crate) fn adopt(pid: Pid) {
    CENSUS.adopt(pid);
}

/// Counts a program no more that is reaped elsewhere.
pub(crate) fn forget(pid: Pid) {
    CENSUS.forget(pid);
}

/// What the system does for a pause.
trait Signals {
    /// Sends a signal to all processes of a group.
    fn send(&self, group: Pid, signal: Signal);

    /// Lets children go on that are stopped before anybody knows of them.
    fn free_unborn(&self, known: &HashSet<Pid>);
}

#[derive(Debug)]
struct System;

impl Signals for System {
    fn send(&self, group: Pid, signal: Signal) {
        if let Err(error) = kill_process_group(group, signal) {
            tracing::warn!(%error, pid = group.as_raw_nonzero(), ?signal, "a command's group got no signal");
        }
    }

    fn free_unborn(&self, known: &HashSet<Pid>) {
        unborn::free(known);
    }
}

/// The programs that commands run, and whether more may be started.
struct Census<S> {
    state: Mutex<State>,
    changed: Condvar,
    signals: S,
    patience: Duration,
}

#[derive(Default)]
struct State {
    /// Nothing is started.
    paused: bool,
    /// How many threads are starting a program at the moment.
    starting: usize,
    /// The programs that were started and not reaped: each is the leader of its group.
    leaders: HashSet<Pid>,
}

impl<S: Signals> Census<S> {
    fn new(signals: S, patience: Duration) -> Self {
        Self { state: Mutex::default(), changed: Condvar::default(), signals, patience }
    }

    /// Starts a program while there is no pause.
    fn start<T>(
        &self,
        spawn: impl FnOnce() -> io::Result<T>,
        pid: impl Fn(&T) -> Pid,
    ) -> io::Result<T> {
        let _starting = self.starting();
        let started = spawn()?;
        // A pause did not wait any longer for a start that took so long.
        self.adopt(pid(&started));
        Ok(started)
    }

    /// Counts a program that is there, and stops it if there is a pause.
    fn adopt(&self, pid: Pid) {
        let mut state = self.lock();
        state.leaders.insert(pid);
        if state.paused {
            self.signals.send(pid, Signal::STOP);
        }
    }

    fn reap<T>(&self, pid: Pid, reap: impl FnOnce() -> (T, bool)) -> (T, bool) {
        let mut state = self.lock();
        let (result, reaped) = reap();
        if reaped {
            state.leaders.remove(&pid);
        }
        (result, reaped)
    }

    fn forget(&self, pid: Pid) {
        self.lock().leaders.remove(&pid);
    }

    /// Stops all programs, once there is no other pause.
    fn pause(&self) -> Pause<'_, S> {
        let mut state = self.wait_while_paused();
        state.paused = true;
        let deadline = Instant::now() + self.patience;
        while state.starting > 0 && Instant::now() < deadline {
            let waited = self.changed.wait_timeout(state, START_LOOK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if state.starting > 0 {
                self.signals.free_unborn(&state.leaders);
            }
        }
        self.signal_all(&state, Signal::STOP);
        drop(state);
        Pause(self)
    }

    fn starting(&self) -> Starting<'_, S> {
        self.wait_while_paused().starting += 1;
        Starting(self)
    }

    fn wait_while_paused(&self) -> MutexGuard<'_, State> {
        let waited = self.changed.wait_while(self.lock(), |state| state.paused);
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    /// Every change is a single step, so what a panic left behind is whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signal_all(&self, state: &State, signal: Signal) {
        state.leaders.iter().for_each(|leader| self.signals.send(*leader, signal));
    }
}

/// All programs are stopped while this lives.
struct Pause<'a, S: Signals>(&'a Census<S>);

impl<S: Signals> Drop for Pause<'_, S> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        self.0.signal_all(&state, Signal::CONT);
        state.paused = false;
        drop(state);
        self.0.changed.notify_all();
    }
}

impl<S: Signals> fmt::Debug for Pause<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pause")
    }
}

/// A program is being started while this lives.
struct Starting<'a, S: Signals>(&'a Census<S>);

impl<S: Signals> Drop for Starting<'_, S> {
    fn drop(&mut self) {
        self.0.lock().starting -= 1;
        self.0.changed.notify_all();
    }
}

#[cfg(all(shuttle, test))]
mod models;
