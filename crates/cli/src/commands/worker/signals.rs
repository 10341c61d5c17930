//! The signals of a worker.

use std::thread;

use anyhow::Context;
use async_channel::Receiver;
use signal_hook::{
    consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP},
    iterator::Signals,
    low_level,
};

use crate::{failure::Failure, signal::not_ignored};

/// What a signal asks a worker to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// Take no tasks for now.
    Pause,
    /// Take tasks again.
    Resume,
    /// Stop, the more harshly the more often it is said.
    Stop(i32),
    /// Stop at once.
    Kill(i32),
}

/// From now on signals are wishes, until the process ends.
pub(super) fn listen() -> Result<Receiver<Wish>, Failure> {
    let signals = not_ignored(&[SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT]);
    let signals = Signals::new(signals).context("cannot handle signals");
    let mut signals = signals.map_err(Failure::failed)?;
    let (tell, told) = async_channel::unbounded();
    let listen = move || {
        for signal in signals.forever() {
            if tell.send_blocking(wish(signal)).is_err() {
                return;
            }
        }
    };
    let thread = thread::Builder::new().name("outwork-signals".to_owned()).spawn(listen);
    thread.context("cannot start a thread").map_err(Failure::failed)?;
    Ok(told)
}

fn wish(signal: i32) -> Wish {
    match signal {
        SIGTSTP => Wish::Pause,
        SIGCONT => Wish::Resume,
        SIGQUIT => Wish::Kill(signal),
        _ => Wish::Stop(signal),
    }
}

/// What a person calls it.
pub(super) fn name(signal: i32) -> &'static str {
    low_level::signal_name(signal).unwrap_or("signal")
}
