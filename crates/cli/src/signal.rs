//! The signals of a run: finish, cancel, kill.

use std::{fs, io, thread};

use anyhow::Context;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
    low_level,
};

use crate::{
    failure::{Failure, tell},
    stopper::Stopper,
};

/// From now on the first SIGINT or SIGTERM finishes what runs, the second cancels it and the
/// third kills. SIGHUP cancels at once: the terminal is gone.
///
/// A signal that was ignored when we started stays so, as nohup(1) and shells expect.
pub(crate) fn handle(stopper: Stopper) -> Result<(), Failure> {
    let ignored = ignored_signals();
    let wanted = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|s| ignored >> (s - 1) & 1 == 0);
    let signals = Signals::new(wanted).context("cannot handle signals").map_err(Failure::failed)?;
    start_thread(signals, stopper).context("cannot start a thread").map_err(Failure::failed)
}

fn start_thread(mut signals: Signals, stopper: Stopper) -> io::Result<()> {
    let thread = thread::Builder::new().name("outwork-signals".to_owned());
    let listen = move || {
        let mut count = 0;
        for signal in signals.forever() {
            count = if signal == SIGHUP { count.max(1) + 1 } else { count + 1 };
            obey(signal, count, &stopper);
        }
    };
    thread.spawn(listen).map(drop)
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

/// The signals that were ignored when this process started, bit n-1 for signal n.
/// None where the system does not tell.
fn ignored_signals() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
