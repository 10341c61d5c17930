//! The signals of a run: finish, cancel, kill.

use std::{fs, io, sync::Arc, thread};

use anyhow::Context;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP},
    flag,
    iterator::Signals,
    low_level,
};

use crate::{
    failure::{Failure, tell},
    stopper::Stopper,
};

/// The signal that kills, counted from 1.
const KILL: u32 = 3;

/// From now on the first SIGINT or SIGTERM finishes what runs, the second cancels it and the
/// third kills. SIGHUP cancels at once: the terminal is gone. SIGQUIT kills at once.
/// SIGTSTP stops us and what runs.
///
/// A signal that was ignored when we started stays so, as nohup(1) and shells expect.
pub(crate) fn handle(stopper: Stopper) -> Result<(), Failure> {
    let wanted = not_ignored(&[SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP]);
    let signals = listen(&wanted, &stopper).context("cannot handle signals");
    let signals = signals.map_err(Failure::failed)?;
    start_thread(signals, stopper).context("cannot start a thread").map_err(Failure::failed)
}

fn listen(wanted: &[i32], stopper: &Stopper) -> io::Result<Signals> {
    for signal in wanted.iter().filter(|signal| **signal != SIGTSTP) {
        let number = usize::try_from(*signal).unwrap_or_default();
        flag::register_usize(*signal, Arc::clone(stopper.hit()), number)?;
    }
    Signals::new(wanted)
}

fn start_thread(mut signals: Signals, stopper: Stopper) -> io::Result<()> {
    let thread = thread::Builder::new().name("outwork-signals".to_owned());
    let listen = move || {
        let mut count = 0;
        for signal in signals.forever() {
            if signal == SIGTSTP {
                stop_with_programs();
                continue;
            }
            count = match signal {
                SIGQUIT => KILL,
                SIGHUP => count.max(1) + 1,
                _ => count + 1,
            };
            obey(signal, count, &stopper);
        }
    };
    thread.spawn(listen).map(drop)
}

/// Stops as Ctrl-Z asks for, with all programs. Returns when we are let go on, and they are as well.
fn stop_with_programs() {
    let _paused = outwork_local::pause_commands();
    // That it cannot stop is nothing that a stop could wait for.
    let _ = low_level::emulate_default_handler(SIGTSTP);
}

fn obey(signal: i32, count: u32, stopper: &Stopper) {
    let name = low_level::signal_name(signal).unwrap_or("signal");
    stopper.note_signal(u8::try_from(signal).unwrap_or_default());
    match count {
        1 => {
            tell(&format!("{name}: finishing what runs; once more cancels it, a third time kills"));
            stopper.soon();
        }
        2 => {
            tell(&format!("{name}: cancelling what runs; once more kills it"));
            stopper.now();
        }
        _ => {
            stopper.kill();
            // It does not return: these signals end a process.
            let _ = low_level::emulate_default_handler(signal);
        }
    }
}

/// Those of the signals that were not ignored when this process started.
pub(crate) fn not_ignored(signals: &[i32]) -> Vec<i32> {
    let ignored = ignored_signals();
    signals.iter().copied().filter(|signal| ignored >> (signal - 1) & 1 == 0).collect()
}

/// The signals that were ignored when this process started, bit n-1 for signal n.
/// None where the system does not tell.
fn ignored_signals() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
