//! `outwork ping`: whether the broker can be reached and a worker answers.

use std::{
    thread,
    time::{Duration, Instant},
};

use outwork_amqp::{
    AmqpExecutor, ConnectError, ConnectErrorKind, ConnectOptions, QueueName, WorkerAnswer,
};
use outwork_core::blocking::block_on;
use serde_json::json;

use super::jobs::leave;
use crate::{
    args::PingArgs, broker, config_file::ConfigFile, exit_code::ExitCode, failure::Failure, logs,
    output::Output,
};

/// How long to wait when nobody says, and with `--wait`.
const USUALLY: Duration = Duration::from_secs(5);
const WAITING: Duration = Duration::from_secs(60);

/// How long the answers to one question are waited for.
const ROUND: Duration = Duration::from_secs(2);

/// How long to wait before it is tried again to connect.
const PAUSE: Duration = Duration::from_millis(500);

/// Writes which workers have answered.
pub(super) fn ping(args: PingArgs, json: bool, file: &ConfigFile) -> Result<ExitCode, Failure> {
    let timeout = args.timeout.unwrap_or(if args.wait { WAITING } else { USUALLY });
    let pinging = Pinging {
        options: broker::find(&args.broker, file)?,
        queue: args.queue.queue.unwrap_or_default(),
        end: Instant::now() + timeout,
    };
    logs::of_a_client();
    let executor = pinging.connect(args.wait)?;
    let answers = pinging.ask(&executor);
    leave(&executor);
    let answers = answers?;
    if answers.is_empty() {
        let queue = pinging.queue.as_str();
        let message = format!("no worker of queue {queue:?} has answered within {timeout:?}");
        let failure = if args.wait { Failure::timed_out } else { Failure::no_worker };
        return Err(failure(anyhow::Error::msg(message)));
    }
    show(&answers, json)
}

struct Pinging {
    options: ConnectOptions,
    queue: QueueName,
    end: Instant,
}

impl Pinging {
    fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// Connects, when that is wanted as soon as it can be done.
    fn connect(&self, wait: bool) -> Result<AmqpExecutor, Failure> {
        loop {
            let limit = self.left().max(Duration::from_millis(1));
            let builder = AmqpExecutor::builder(self.options.clone().timeout(limit));
            match block_on(builder.queue(self.queue.clone()).connect()) {
                Ok(executor) => return Ok(executor),
                Err(error) if !wait || !may_still_come(&error) => return Err(error.into()),
                Err(error) if self.left() < PAUSE => {
                    return Err(Failure::timed_out(anyhow::Error::msg(error.to_string())));
                }
                Err(_) => thread::sleep(PAUSE),
            }
        }
    }

    /// Asks again and again: a worker does not answer what was asked before it was there.
    fn ask(&self, executor: &AmqpExecutor) -> Result<Vec<WorkerAnswer>, Failure> {
        loop {
            let answers = block_on(executor.ping(self.left().min(ROUND)))?;
            if !answers.is_empty() || self.left().is_zero() {
                return Ok(answers);
            }
        }
    }
}

/// Whether what is not there now may be there in a moment: a broker that starts, a queue whose
/// first worker starts.
fn may_still_come(error: &ConnectError) -> bool {
    error.kind().is_transient() || error.kind() == ConnectErrorKind::Missing
}

fn show(answers: &[WorkerAnswer], json: bool) -> Result<ExitCode, Failure> {
    let mut output = Output::standard()?;
    for WorkerAnswer { name, instance, after, .. } in answers {
        let millis = after.as_secs_f64() * 1e3;
        let line = match json {
            true => json!({ "worker": name, "instance": instance, "ms": millis }).to_string(),
            false => format!("{name}  {instance}  {millis:.1} ms"),
        };
        output.data(format!("{line}\n").as_bytes())?;
    }
    output.flush()?;
    Ok(ExitCode::Success)
}
