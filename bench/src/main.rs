//! Measures the rows of the speed table: Outwork and its peer in the same run, alternating.
//!
//! `cargo run --release -p outwork-bench -- local`, `-- process` or `-- amqp` prints the table on stdout; all talk is on stderr.
//! The exit code is 0 when every row met its goal, 1 when one did not or could not be measured, and 2 when nothing was measured or stdout is closed.

use std::process::ExitCode;

use anyhow::ensure;
use clap::Parser;

use crate::{
    args::{Args, Command, RunArgs},
    report::Report,
    row::Row,
};

mod alternate;
mod amqp;
mod args;
mod block_on;
mod companion;
mod cpu;
mod feed;
mod local;
mod one_by_one;
mod output;
mod peer;
mod process;
mod report;
mod row;
mod sample;
mod table;
mod window;

fn main() -> ExitCode {
    match play_or_measure() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            output::talk(&format!("outwork-bench: {error:#}"));
            ExitCode::from(2)
        }
    }
}

/// Measures what was asked for, unless this process is a child of a pool, ours or a peer's.
fn play_or_measure() -> anyhow::Result<bool> {
    process::enter()?;
    if amqp::enter()? {
        return Ok(true);
    }
    peer::procspawn::enter();
    if peer::role::play()? {
        return Ok(true);
    }
    match Args::parse().command {
        Command::Local(args) => run(local::rows(&args), &args.run, None),
        Command::Process(args) => run(process::rows(&args), &args.run, None),
        Command::Amqp(args) => {
            let broker = amqp::Broker::find(&args)?;
            run(amqp::rows(&args, &broker), &args.run, Some(broker.about()))
        }
    }
}

/// Measures and prints; says whether every claim was met.
///
/// `on` is what all rows were measured on, where that is more than this machine.
fn run(rows: Vec<Row>, args: &RunArgs, on: Option<&str>) -> anyhow::Result<bool> {
    if cfg!(debug_assertions) {
        output::talk("this is a debug build: its numbers mean nothing, use `cargo run --release`");
    }
    let reports = measure(rows, args, on)?;
    if !args.json {
        output::data(&table::render(&reports, on))?;
    }
    Ok(args.noise || reports.iter().all(|report| report.verdict.is_kept()))
}

/// Measures every row that was asked for; a JSON line leaves as soon as its row is done.
fn measure(rows: Vec<Row>, args: &RunArgs, on: Option<&str>) -> anyhow::Result<Vec<Report>> {
    let rows = rows.into_iter().filter(|row| args.wants(row));
    let rows: Vec<_> =
        if args.noise { rows.filter_map(Row::against_itself).collect() } else { rows.collect() };
    ensure!(!rows.is_empty(), "no row matches the filter");

    let mut reports = Vec::with_capacity(rows.len());
    for row in rows {
        let mut report = Report::new(&row, alternate::alternate(&row, args.runs.get()));
        report.on = on.map(str::to_owned);
        if args.json {
            output::data(&format!("{}\n", serde_json::to_string(&report)?))?;
        }
        reports.push(report);
    }
    Ok(reports)
}
