//! Stresses the executors until the time is up or something is wrong: `cargo xtask stress`.
//!
//! The exit code is 0 when nothing was wrong, 1 when something was, and 2 for a wrong argument.

mod args;
mod local;
mod output;
mod panics;
mod process;
mod report;
mod system;
mod watch;

use std::{
    process::ExitCode,
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread,
    time::Duration,
};

use clap::Parser;

use self::{
    args::{Args, Command, RunArgs},
    output::talk,
    report::Report,
};

/// How often is looked for what waits too long.
const LOOK: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    if let Err(error) = process::become_worker() {
        talk(&error.to_string());
        return ExitCode::FAILURE;
    }
    let end = match Args::parse().command {
        Command::Local(args) => {
            let site = local::Site::default();
            let there = site.clone();
            watch_over(
                "local",
                &args.clone(),
                move |seed, reports| local::run(&args, seed, &there, reports),
                |stuck| local::hang(&site, stuck),
            )
        }
        Command::Process(args) => {
            let site = process::Site::default();
            let there = site.clone();
            watch_over(
                "process",
                &args.clone(),
                move |seed, reports| process::run(&args, seed, &there, reports),
                |stuck| site.hang(stuck),
            )
        }
    };
    match end {
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

/// Tells what a stress reports, until it ends or hangs. It runs on a thread of its own, so that
/// this one can end the process when that hangs.
fn watch_over(
    name: &str,
    args: &RunArgs,
    run: impl FnOnce(u64, &Sender<Report>) + Send + 'static,
    hang: impl Fn(&[String]) -> String,
) -> Result<String, String> {
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..));
    let (send, reports) = mpsc::channel();
    talk(&format!("stress {name}: seed {seed}, {} s", args.seconds));
    thread::Builder::new()
        .name("stress".to_owned())
        .spawn(move || run(seed, &send))
        .map_err(|error| format!("the stress could not be started: {error}"))?;
    loop {
        match reports.recv_timeout(LOOK) {
            Ok(Report::Progress(line)) => talk(&line),
            Ok(Report::Ended(end)) => return end,
            Err(RecvTimeoutError::Disconnected) => return Err("the stress itself panicked".into()),
            Err(RecvTimeoutError::Timeout) => {
                let stuck = watch::stuck();
                if !stuck.is_empty() {
                    return Err(hang(&stuck));
                }
            }
        }
    }
}
