//! Stresses the executors until the time is up or something is wrong: `cargo xtask stress`.
//!
//! The exit code is 0 when nothing was wrong, 1 when something was, and 2 for a wrong argument.

mod args;
mod local;
mod output;
mod panics;
mod system;
mod watch;

use std::{
    process::ExitCode,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use clap::Parser;

use self::{
    args::{Args, Command, LocalArgs},
    local::{Report, Site},
    output::talk,
};

/// How often is looked for what waits too long.
const LOOK: Duration = Duration::from_secs(1);

/// The stress runs on a thread of its own, so that this one can end the process when that hangs.
fn main() -> ExitCode {
    let Args { command: Command::Local(args) } = Args::parse();
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..));
    match watch_over(&args, seed) {
        Ok(summary) => {
            talk(&summary);
            ExitCode::SUCCESS
        }
        Err(fault) => {
            talk(&fault);
            ExitCode::FAILURE
        }
    }
}

/// Tells what the stress reports, until it ends or hangs.
fn watch_over(args: &LocalArgs, seed: u64) -> Result<String, String> {
    let (send, reports) = mpsc::channel();
    let site = Site::default();
    let (there, args) = (site.clone(), args.clone());
    talk(&format!("stress local: seed {seed}, {} s", args.seconds));
    thread::Builder::new()
        .name("stress".to_owned())
        .spawn(move || local::run(&args, seed, &there, &send))
        .map_err(|error| format!("the stress could not be started: {error}"))?;
    loop {
        match reports.recv_timeout(LOOK) {
            Ok(Report::Progress(line)) => talk(&line),
            Ok(Report::Ended(end)) => return end,
            Err(RecvTimeoutError::Disconnected) => return Err("the stress itself panicked".into()),
            Err(RecvTimeoutError::Timeout) => {
                let stuck = watch::stuck();
                if !stuck.is_empty() {
                    return Err(local::hang(&site, &stuck));
                }
            }
        }
    }
}
