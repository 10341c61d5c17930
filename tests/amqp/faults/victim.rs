//! [`Victim`]: another process of this very program, which plays one test's part until it is
//! killed.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdout, Command, Stdio},
};

use outwork_amqp::{ConnectOptions, QueueName};

use crate::support::Place;

/// Set for the process that is to be killed: the URL, the prefix and the queue, a line each.
const PART: &str = "OUTWORK_TEST_AMQP_PART";

/// What it prints when it has come so far that it can be killed.
const READY: &str = "READY TO BE KILLED";

/// A process that is going to be killed.
pub struct Victim {
    child: Child,
    says: BufReader<ChildStdout>,
}

impl Victim {
    /// Starts it with the part that the named test has for it.
    pub fn start(test: &str, place: &Place) -> Self {
        let part = [place.space.url(), place.space.prefix(), place.queue.as_str()].join("\n");
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(PART, part)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let says = BufReader::new(child.stdout.take().unwrap());
        Self { child, says }
    }

    /// Waits until it says that it can be killed.
    pub fn wait_ready(&mut self) {
        let mut line = String::new();
        while !line.contains(READY) {
            line.clear();
            assert!(self.says.read_line(&mut line).unwrap() > 0, "it ended before it was ready");
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What this process has to play, if it was started for that.
pub struct Part {
    pub options: ConnectOptions,
    pub queue: QueueName,
}

impl Part {
    pub fn of_this_process() -> Option<Self> {
        let part = std::env::var(PART).ok()?;
        let [url, prefix, queue]: [&str; 3] =
            part.split('\n').collect::<Vec<_>>().try_into().unwrap();
        let options = ConnectOptions::new(url).unwrap().prefix(prefix).unwrap();
        Some(Self { options, queue: QueueName::new(queue).unwrap() })
    }

    /// Says that it can be killed, and waits for that; ends as well when nobody is left to.
    pub fn wait_for_the_end() {
        println!("\n{READY}");
        std::io::stdout().flush().unwrap();
        // Ends when the one who was to kill is gone.
        let _ = std::io::stdin().read_line(&mut String::new());
    }
}
