//! [`InlineBackend`]: where attempts wait for the callers that run them.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use outwork_core::{
    BoxFuture, Capabilities, ExecutorConfig, TaskId,
    blocking::{ExecutorId, block_on},
    engine::{Attempt, Backend, Close, Surroundings, WorkerToken},
};

use super::{
    InlineSettings,
    inside::{Inside, is_scheduled, scope},
    mailbox::{Mailbox, Mailboxes},
};
use crate::{command::Commands, runtime};

/// Where attempts wait for the callers that run them.
pub(super) struct InlineBackend {
    id: ExecutorId,
    settings: InlineSettings,
    worker: Arc<str>,
    commands: Commands,
    mailboxes: Mailboxes,
    token: Mutex<Option<WorkerToken>>,
}

impl InlineBackend {
    pub(super) fn new(executor: Surroundings, settings: InlineSettings) -> Self {
        Self {
            id: executor.id,
            worker: Arc::from(&*settings.name),
            settings,
            commands: Commands::default(),
            mailboxes: Mailboxes::default(),
            token: Mutex::new(Some(executor.token)),
        }
    }

    pub(super) fn open(&self, id: TaskId) -> Mailbox<'_> {
        self.mailboxes.open(id)
    }

    /// Runs an attempt on the thread that polls this.
    pub(super) async fn run(&self, attempt: Attempt) {
        let Err(attempt) = self.run_sync(attempt) else { return };
        self.run_async(attempt).await;
    }

    /// Runs an attempt on this thread, or beside it what has to yield to a scheduler that this
    /// thread holds up.
    pub(super) fn run_blocking(&self, attempt: Attempt) {
        let Err(attempt) = self.run_sync(attempt) else { return };
        if !is_scheduled() {
            return block_on(self.run_async(attempt));
        }
        let beside = thread::Builder::new().name("outwork-inline".to_owned());
        thread::scope(|scope| {
            let run = || block_on(self.run_async(attempt));
            if let Err(error) = beside.spawn_scoped(scope, run) {
                tracing::error!(%error, "no thread for a body beside a task of tokio");
            }
        });
    }

    fn run_sync(&self, attempt: Attempt) -> Result<(), Attempt> {
        let _scope = scope(self.id);
        attempt.run_sync(&self.worker)
    }

    async fn run_async(&self, attempt: Attempt) {
        match runtime::shared() {
            Ok(runtime) => {
                Inside::new(self.id, runtime, attempt.run(&self.worker, &self.commands)).await;
            }
            Err(error) => {
                tracing::error!(%error, "an async body cannot be run");
                drop(attempt);
            }
        }
    }
}

impl Backend for InlineBackend {
    fn start(&self, attempt: Attempt) {
        self.mailboxes.send(attempt);
    }

    fn drive(&self, future: BoxFuture<'static, ()>) {
        runtime::drive(future);
    }

    fn close(&self, _how: Close) {
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(token);
    }

    fn workers(&self) -> usize {
        1
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::IN_PROCESS;
        capabilities.limits_stuck_sync = false;
        capabilities.concurrent = false;
        capabilities.priorities = false;
        capabilities.submits_ahead = false;
        capabilities
    }

    fn config(&self) -> ExecutorConfig {
        ExecutorConfig::new("inline", &self.settings)
    }
}

impl fmt::Debug for InlineBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InlineBackend").field("name", &self.worker).finish_non_exhaustive()
    }
}
