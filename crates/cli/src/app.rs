//! [`App`]: the command line with your own tasks.

use std::process;

use outwork_core::{ExecutorKinds, Registry};

use crate::{args, commands, demo::demo_tasks, exit_code::ExitCode, failure::Failure, own_tasks};

/// The command line: every command of `outwork`, with these tasks and executors.
///
/// Make it the last thing of `main`: it reads the arguments of the process, handles its signals
/// and writes to its standard streams.
#[derive(Debug)]
#[must_use = "an app does nothing until `main` is called"]
pub struct App {
    pub(crate) registry: Registry,
    pub(crate) kinds: ExecutorKinds,
    /// The tasks are the demo tasks.
    pub(crate) is_stock: bool,
}

impl App {
    /// A command line with these tasks, on the executors of `outwork-local`.
    pub fn new(registry: Registry) -> Self {
        Self { registry, kinds: ExecutorKinds::new(), is_stock: false }
    }

    /// The stock command line, with the demo tasks: `demo.echo`, `demo.sleep`, `demo.fail`,
    /// `demo.panic`, `demo.spin`, `demo.alloc` and `demo.abort`.
    pub fn stock() -> Self {
        Self { is_stock: true, ..Self::new(demo_tasks()) }
    }

    /// Adds executors of your own: each alias is a name for `--executor` and a `kind` in the
    /// configuration file. One of the stock names takes the place of that executor, and one
    /// that was added before is replaced.
    pub fn kinds(mut self, kinds: ExecutorKinds) -> Self {
        self.kinds.extend(kinds);
        self
    }

    /// Does what the arguments of this process say, and returns the code that it ends with.
    ///
    /// As a worker of a process pool it does not return: see
    /// [`worker_entry`](outwork_local::worker_entry).
    #[must_use]
    pub fn main(mut self) -> process::ExitCode {
        if outwork_local::is_worker() {
            // Their names are free, or taken by tasks that stand in for them.
            let _ = own_tasks::add(&mut self.registry);
            outwork_local::worker_entry(&self.registry);
        }
        let cli = match args::parse() {
            Ok(cli) => cli,
            Err(error) => {
                // Nobody to tell: the stream it goes to is closed.
                let _ = error.print();
                let code = if error.use_stderr() { ExitCode::Usage } else { ExitCode::Success };
                return code.into();
            }
        };
        commands::run(self, cli).unwrap_or_else(Failure::report).into()
    }
}
