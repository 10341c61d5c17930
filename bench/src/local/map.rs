//! Rows of `outwork map`.

use std::{
    fs,
    io::{BufRead, BufReader, BufWriter, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
};

use anyhow::{Context, anyhow, ensure};

use super::outwork::Binary;
use crate::{
    args::LocalArgs,
    feed,
    row::{Goal, OUTWORK, Row, Side},
};

/// Lines per second through `demo.echo` on the thread pool, a million of them from a file, results to `/dev/null`.
///
/// Nobody promises the same, so there is no peer: the number is there to be watched.
pub(super) fn rate(args: &LocalArgs) -> Row {
    let (lines, outwork) = (args.run.scaled(1_000_000), Binary::new(args));
    Row {
        name: "map demo.echo",
        unit: "lines/s",
        goal: None,
        ours: Side::new(OUTWORK, move || {
            feed::rate(&mut map(&outwork)?, lines, "give its place with --outwork")
        }),
        peer: None,
    }
}

/// The most memory that it takes for ten million lines, whose results are checked, order included.
///
/// `VmHWM` of the kernel, read when every result is there and the program waits for more input.
pub(super) fn memory(args: &LocalArgs) -> Row {
    let (lines, outwork) = (args.run.scaled(10_000_000), Binary::new(args));
    Row {
        name: "map demo.echo: peak memory",
        unit: "MiB",
        goal: Some(Goal::Below(64.0)),
        ours: Side::new(OUTWORK, move || peak_memory(map(&outwork)?, lines)),
        peer: None,
    }
}

fn map(outwork: &Binary) -> anyhow::Result<Command> {
    let mut map = Command::new(outwork.path()?);
    map.args(["map", "demo.echo", "--executor", "threads"]);
    Ok(map)
}

fn peak_memory(mut map: Command, lines: usize) -> anyhow::Result<f64> {
    let mut map = map.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let input = map.stdin.take().context("stdin is piped")?;
    let output = map.stdout.take().context("stdout is piped")?;

    let feeder = thread::Builder::new().name("bench-feeder".to_owned());
    let feeder = feeder.spawn(move || feed(input, lines))?;
    // What fails drops its pipe, at which the program ends, and with it the other side.
    let checked = check(output, lines);
    let fed = feeder.join().map_err(|_| anyhow!("the thread that feeds it panicked"))?;
    let peak = peak_of(&map);
    drop(fed?);
    let status = map.wait()?;

    checked?;
    ensure!(status.success(), "map ended with {status}");
    peak
}

/// Writes the lines and leaves stdin open, so that the program stays.
fn feed(input: ChildStdin, lines: usize) -> anyhow::Result<ChildStdin> {
    let mut input = BufWriter::new(input);
    for line in 0..lines {
        writeln!(input, "{line}")?;
    }
    Ok(input.into_inner()?)
}

/// Reads as many results and no more; each has to be that of its line.
fn check(output: ChildStdout, lines: usize) -> anyhow::Result<ChildStdout> {
    let mut output = BufReader::new(output);
    let mut result = String::new();
    for line in 0..lines {
        result.clear();
        output.read_line(&mut result)?;
        let expected = format!("{{\"index\":{line},\"ok\":{line}}}\n");
        ensure!(result == expected, "the result of line {line} was {result:?}");
    }
    Ok(output.into_inner())
}

/// In MiB.
fn peak_of(program: &Child) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", program.id()))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|peak| peak.trim().strip_suffix(" kB")).context("no VmHWM")?;
    Ok(peak.parse::<f64>()? / 1024.0)
}
