//! [`Census`]: the programs that commands of this process run, and whether more may be started.

use std::{
    collections::HashSet,
    io,
    sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};

use super::{unborn, watch};

/// How long a pause waits for a start that is under way. It takes a tenth of a millisecond,
/// and when it is stuck it is freed after one.
const START_PATIENCE: Duration = Duration::from_secs(1);
const START_LOOK: Duration = Duration::from_millis(1);

/// The one of this process.
static CENSUS: LazyLock<Census> = LazyLock::new(Census::default);

/// The programs that commands of this process run, and whether more may be started.
#[derive(Default)]
struct Census {
    state: Mutex<State>,
    changed: Condvar,
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

/// The programs of this process, stopped; see [`pause_commands`].
#[derive(Debug)]
#[must_use = "they go on when this is dropped"]
pub struct PausedCommands(());

/// Stops every program that commands of this process run, with all of its group, by SIGSTOP;
/// until this is dropped none is started either, and whoever wants to start one waits.
///
/// For a program that is stopped by Ctrl-Z and handles SIGTSTP: what it runs is in groups of its
/// own, which the terminal does not reach. It should call this before it stops itself, because a
/// child that SIGTSTP hits on its way from `fork` to `exec` stops there, and with it for ever the
/// thread that waits for the `exec`. Here such a child is freed.
///
/// Time limits run on. A second pause waits for the end of the first.
pub fn pause_commands() -> PausedCommands {
    CENSUS.pause();
    CENSUS.signal_all(Signal::STOP);
    PausedCommands(())
}

impl Drop for PausedCommands {
    fn drop(&mut self) {
        CENSUS.signal_all(Signal::CONT);
        CENSUS.lock().paused = false;
        CENSUS.changed.notify_all();
    }
}

/// Starts a program, once that is allowed, and counts it.
pub(super) fn start<T>(
    spawn: impl FnOnce() -> io::Result<T>,
    pid: impl Fn(&T) -> Pid,
) -> io::Result<T> {
    let starting = CENSUS.starting();
    let started = watch::start(spawn, &pid)?;
    CENSUS.lock().leaders.insert(pid(&started));
    drop(starting);
    Ok(started)
}

/// Reaps a program, by `reap`, which says whether it did: from then on its number may be
/// somebody else's.
pub(super) fn reap<T>(pid: Pid, reap: impl FnOnce() -> (T, bool)) -> T {
    let mut state = CENSUS.lock();
    let (result, reaped) = reap();
    if reaped {
        state.leaders.remove(&pid);
        drop(state);
        watch::reaped(pid);
    }
    result
}

/// Counts a program no more that is reaped elsewhere.
pub(super) fn forget(pid: Pid) {
    CENSUS.lock().leaders.remove(&pid);
}

/// A program is being started while this lives.
struct Starting(());

impl Drop for Starting {
    fn drop(&mut self) {
        CENSUS.lock().starting -= 1;
        CENSUS.changed.notify_all();
    }
}

impl Census {
    /// Every change is a single step, so what a panic left behind is whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn starting(&self) -> Starting {
        let state = self.lock();
        let waited = self.changed.wait_while(state, |state| state.paused);
        waited.unwrap_or_else(PoisonError::into_inner).starting += 1;
        Starting(())
    }

    fn pause(&self) {
        let state = self.lock();
        let waited = self.changed.wait_while(state, |state| state.paused);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.paused = true;
        let deadline = Instant::now() + START_PATIENCE;
        while state.starting > 0 && Instant::now() < deadline {
            let waited = self.changed.wait_timeout(state, START_LOOK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if state.starting > 0 {
                unborn::free(&state.leaders);
            }
        }
    }

    fn signal_all(&self, signal: Signal) {
        for leader in &self.lock().leaders {
            if let Err(error) = kill_process_group(*leader, signal) {
                tracing::warn!(%error, pid = leader.as_raw_nonzero(), ?signal, "a command's group got no signal");
            }
        }
    }
}
