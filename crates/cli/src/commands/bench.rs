//! `outwork bench`: how fast an executor runs a task that does nothing.

use std::{
    num::NonZeroUsize,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use outwork_core::{Codec, Outcome, Payload, Registry, SubmitError, Task, TaskError};
use serde_json::json;

use crate::{
    args::BenchArgs,
    demo::ECHO,
    executors::{Chosen, Executors, InFlight, REMOTE},
    exit_code::{ExitCode, is_not_allowed},
    failure::Failure,
    output::Output,
    pump::{self, Next, Work},
    stopper::Stopper,
};

/// How many tasks are in flight when nobody says.
const USUAL: InFlight =
    InFlight::Usually { here: NonZeroUsize::new(1024).unwrap(), remote: REMOTE };

/// Runs the tasks and writes how fast they were.
pub(super) fn bench(
    args: &BenchArgs,
    as_json: bool,
    executors: &Executors,
    registry: Registry,
) -> Result<ExitCode, Failure> {
    let payload = Payload::encode(Codec::MessagePack, &"x".repeat(args.payload));
    let in_flight = args.in_flight.map_or(USUAL, InFlight::Tasks);
    let place = executors.place(&args.executor)?;
    let chosen = executors.build(place, &args.executor, in_flight, registry)?;
    let Chosen { executor, in_flight, spec, .. } = chosen;
    let mut echoes = Echoes {
        payload: payload.map_err(Failure::usage)?,
        left: args.tasks.get(),
        latencies: Vec::with_capacity(args.tasks.get()),
    };
    let stopper = Stopper::new(Arc::clone(&executor));
    let start = Instant::now();
    pump::run(&mut echoes, executor, in_flight, stopper)?;
    let seconds = start.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate for a person")]
    let rate = args.tasks.get() as f64 / seconds;
    let (p50, p99) = (echoes.percentile(50), echoes.percentile(99));
    let mut output = Output::standard()?;
    let line = if as_json {
        json!({
            "executor": spec,
            "tasks": args.tasks,
            "in_flight": in_flight,
            "payload": args.payload,
            "seconds": seconds,
            "tasks_per_s": rate,
            "p50_us": p50,
            "p99_us": p99,
        })
        .to_string()
    } else {
        let (tasks, payload) = (args.tasks, args.payload);
        format!(
            "{rate:.0} tasks/s, p50 {p50:.1} µs, p99 {p99:.1} µs \
             ({spec}, {tasks} tasks, {in_flight} in flight, {payload} bytes)"
        )
    };
    output.data(format!("{line}\n").as_bytes())?;
    output.flush()?;
    Ok(ExitCode::Success)
}

/// Tasks that give back what they get.
struct Echoes {
    payload: Payload,
    left: usize,
    latencies: Vec<Duration>,
}

impl Echoes {
    /// In microseconds, to one decimal.
    fn percentile(&mut self, percent: usize) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let (_, latency, _) = self.latencies.select_nth_unstable(last * percent / 100);
        (latency.as_secs_f64() * 1e7).round() / 10.0
    }
}

impl Work for Echoes {
    /// When the task was submitted.
    type Note = Instant;

    fn poll_next(&mut self, _cx: &mut Context<'_>) -> Poll<Result<Next<Instant>, Failure>> {
        if self.left == 0 {
            return Poll::Ready(Ok(Next::End));
        }
        self.left -= 1;
        let task = Task::new(ECHO.name(), self.payload.clone());
        Poll::Ready(Ok(Next::Task(task, Instant::now())))
    }

    fn ended(&mut self, start: Instant, end: Result<Outcome, SubmitError>) -> Result<(), Failure> {
        let result = end.map_err(Failure::failed)?.into_result();
        result.map_err(|error: TaskError| match is_not_allowed(&error) {
            true => Failure::refused(error),
            false => Failure::failed(error),
        })?;
        self.latencies.push(start.elapsed());
        Ok(())
    }

    fn idle(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}
