//! The `outwork` binary as a person and a script see it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    unreachable_pub,
    reason = "helpers of tests are tests too"
)]

/// What running the binary takes.
mod support;

/// A terminal to run it on.
mod screen;

/// Help, usage errors and their exit codes: `tests/cmd/*.toml`.
mod cmd;

/// What becomes of a line: arguments, order, output, exit codes.
mod exec;

/// What is recorded, and what is passed over because of it.
mod records;

/// Ends that come early: halts, limits, signals, a reader that goes.
mod early;

/// Ctrl-C and Ctrl-Z, as a job of a shell gets them.
mod job_control;

/// What a run takes of the machine.
mod bounds;

/// What is shown on a terminal, and not elsewhere.
mod terminal;

/// One task: `run`, `tasks`, `bench`, `config`.
mod run;

/// JSON lines.
mod map;
