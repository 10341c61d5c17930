//! [`Death`]: how a process may end.

use std::{fs, hint::black_box, path::Path, thread, time::Duration};

use rustix::process::{Signal, getpid, kill_process};

/// How a process may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Death {
    Exit(i32),
    Abort,
    Segv,
    Kill,
    /// It does not end, but goes no further.
    Stop,
    Overflow,
    /// It does not end by itself, but has so many MiB more from now on.
    Grow(usize),
}

impl Death {
    /// Ends this process.
    pub(crate) fn die(self) {
        match self {
            Self::Exit(code) => exit(code),
            Self::Abort => std::process::abort(),
            // The first is taken by the standard library, which looks for an overflow.
            Self::Segv => raise(Signal::SEGV),
            Self::Kill => raise(Signal::KILL),
            Self::Stop => raise(Signal::STOP),
            Self::Overflow => drop(black_box(overflow(1))),
            Self::Grow(mib) => {
                let grown = black_box(vec![1_u8; mib << 20]);
                thread::sleep(Duration::from_secs(60));
                drop(grown);
            }
        }
    }

    /// Ends this process once there is such a file, and leaves one beside it that says so.
    pub(crate) fn strike_once_there_is(self, file: &Path) {
        super::await_file(file);
        fs::write(file.with_extension("struck"), "").expect("the folder is there");
        self.die();
    }
}

/// Sends itself a signal until it has ended, which may take a moment.
fn raise(signal: Signal) {
    for _ in 0..100 {
        // Its own process is there.
        let _ = kill_process(getpid(), signal);
        thread::sleep(Duration::from_millis(1));
    }
}

#[expect(clippy::exit, clippy::disallowed_methods, reason = "that is what it is for")]
fn exit(code: i32) {
    std::process::exit(code)
}

#[expect(unconditional_recursion, reason = "that is what it is for")]
fn overflow(depth: u64) -> u64 {
    let block = black_box([depth; 512]);
    overflow(depth + 1) + black_box(block)[1]
}

/// When a worker dies that only plays one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Moment {
    /// Before it has said that it is ready.
    Greeting,
    /// As soon as it has said that.
    Ready,
    /// When it has been sent tasks, and before it begins one.
    Sent,
    /// When it has said half of a result.
    Answering,
    /// When it is told to leave.
    Leaving,
}
