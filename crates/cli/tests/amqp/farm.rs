//! [`Farm`]: a broker with a queue, and workers before it.

use std::{fs, process::Command, sync::Arc};

use outwork_test_broker::{Broker, Space};
use rustix::process::{Pid, Signal};

use crate::support::{Place, Ran, Running};

/// A queue of its own on the broker that the tests share.
pub struct Farm {
    pub place: Place,
    pub space: Space,
    pub queue: String,
    _broker: Arc<Broker>,
}

impl Farm {
    pub fn new() -> Self {
        Self::on(Broker::shared().unwrap())
    }

    pub fn on(broker: Arc<Broker>) -> Self {
        let space = broker.space().unwrap();
        // On a broker that was given, others may have queues beside this one.
        let queue = format!("t{}", outwork_core::TaskId::new());
        Self { place: Place::new(), space, queue, _broker: broker }
    }

    /// The command with the broker in its environment.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.place.command(args);
        command.env("OUTWORK_URL", self.space.url());
        command
    }

    /// The same for this queue.
    pub fn start_at_queue(&self, args: &[&str]) -> Running {
        let (verb, rest) = args.split_first().unwrap();
        Running::start(self.command(&[&[*verb, "--queue", &self.queue], rest].concat()))
    }

    pub fn run_at_queue(&self, args: &[&str]) -> Ran {
        self.start_at_queue(args).ended()
    }

    /// A command that names no queue.
    pub fn run(&self, args: &[&str]) -> Ran {
        Running::start(self.command(args)).ended()
    }

    /// `exec`, `run` or `map` on the workers.
    pub fn remote(&self, args: &[&str]) -> Ran {
        self.start_remote(args).ended()
    }

    pub fn start_remote(&self, args: &[&str]) -> Running {
        let (verb, rest) = args.split_first().unwrap();
        self.start_at_queue(&[&[*verb, "--executor", "amqp"], rest].concat())
    }

    /// A worker that takes tasks.
    pub fn worker(&self, args: &[&str]) -> Running {
        let worker = self.start_at_queue(&[&["worker"], args].concat());
        worker.said("fetching tasks");
        worker
    }

    /// Submits a job; its id.
    pub fn submit(&self, args: &[&str]) -> String {
        let ran = self.run_at_queue(&[&["submit"], args].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stdout.trim().to_owned()
    }

    /// The state of a job, as somebody else sees it.
    pub fn state(&self, id: &str) -> String {
        let ran = self.run(&["status", id, "--json"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let status: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        status["state"].as_str().unwrap().to_owned()
    }
}

/// Lets a worker drain, and returns how it ended.
#[track_caller]
pub fn drained(worker: Running) -> Ran {
    worker.signal(Signal::TERM);
    worker.ended()
}

/// Whether a process runs no more. Not every first process of a machine buries those that
/// nobody else does.
pub fn is_gone(process: Pid) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", process.as_raw_nonzero()));
    status.map_or(true, |status| status.contains("State:\tZ"))
}
