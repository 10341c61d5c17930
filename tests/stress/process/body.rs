//! What workers run: bodies that leave a line each time they run, and then end in some way.

use std::{
    fs::OpenOptions,
    io::Write,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use outwork_core::{BoxError, Registry, TaskDef};
use outwork_local::worker_entry;
use rustix::process::{Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};

/// Leaves a line, and then does something.
pub(super) const NOTE: TaskDef<Note, (usize, Bytes)> = TaskDef::new("stress.note");

/// What a body is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Note {
    pub(super) job: usize,
    pub(super) act: Act,
    /// Where the line goes.
    pub(super) log: PathBuf,
    /// What comes back.
    pub(super) payload: Bytes,
}

/// What comes after the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Act {
    Return,
    /// So many milliseconds.
    Sleep(u64),
    Fail,
    Panic,
    Abort,
    Exit(i32),
    Kill,
    /// It computes until it is killed.
    Spin,
    /// Its process goes no further.
    Stop,
}

/// How long a body that does not end by itself lasts at most.
const AGES: Duration = Duration::from_secs(600);

impl Act {
    /// Whether its worker is gone after it.
    pub(super) const fn is_deadly(self) -> bool {
        matches!(self, Self::Abort | Self::Exit(_) | Self::Kill)
    }

    /// Whether only a limit ends it.
    pub(super) const fn is_endless(self) -> bool {
        matches!(self, Self::Spin | Self::Stop)
    }
}

/// Makes this process a worker, if a pool has started it.
pub(crate) fn become_worker() -> Result<(), BoxError> {
    worker_entry(&registry()?);
    Ok(())
}

pub(super) fn registry() -> Result<Registry, BoxError> {
    let mut registry = Registry::new();
    registry.register(NOTE, |_ctx, note| run(note))?;
    Ok(registry)
}

fn run(note: Note) -> Result<(usize, Bytes), BoxError> {
    let mut log = OpenOptions::new().create(true).append(true).open(&note.log)?;
    log.write_all(format!("{}\n", note.job).as_bytes())?;
    match note.act {
        Act::Return => {}
        Act::Sleep(milliseconds) => thread::sleep(Duration::from_millis(milliseconds)),
        Act::Fail => return Err("on purpose".into()),
        Act::Panic => crate::panics::panic_on_purpose(),
        Act::Abort => std::process::abort(),
        Act::Exit(code) => exit(code),
        Act::Kill => raise(Signal::KILL),
        Act::Stop => raise(Signal::STOP),
        Act::Spin => {
            let start = Instant::now();
            while start.elapsed() < AGES {
                std::hint::spin_loop();
            }
        }
    }
    Ok((note.job, note.payload))
}

#[expect(clippy::exit, clippy::disallowed_methods, reason = "that is what it is for")]
fn exit(code: i32) {
    std::process::exit(code)
}

fn raise(signal: Signal) {
    // Its own process is there.
    let _ = kill_process(getpid(), signal);
    // It may be a moment on its way, and one that was let go on is to be stopped all the same.
    thread::sleep(AGES);
}
