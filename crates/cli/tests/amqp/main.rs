//! The `outwork` binary before a broker: executor, worker and jobs, as a person and a script see
//! them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    unreachable_pub,
    reason = "helpers of tests are tests too"
)]

/// What running the binary takes.
#[path = "../it/support.rs"]
#[allow(dead_code, reason = "it is shared with the tests that need no broker")]
mod support;

/// A terminal to run it on.
#[path = "../it/screen.rs"]
#[allow(dead_code, reason = "it is shared with the tests that need no broker")]
mod screen;

/// A broker with a queue, and workers before it.
mod farm;

/// `--executor amqp`, against what the same command gives here.
mod remote;

/// Every flag, by what it changes.
mod options;

/// Signals, drains and logs of a worker.
mod worker;

/// Work that nobody waits for.
mod jobs;

/// Cancelled programs, wherever they are.
mod cancel;

/// What cannot be used: each its own message and exit code, in time.
mod bad_input;
