//! [`Diary`]: hooks that write down when they are called.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_channel::{Receiver, Sender};

use crate::{
    BoxError, BoxFuture, Hooks, Metadata, Outcome, TaskContext,
    conformance::support::{Log, note},
};

/// Hooks that write down when they are called, and then do as they are told.
#[derive(Debug)]
pub(super) struct Diary {
    setup: Manner,
    teardown: Manner,
    pages: Mutex<Pages>,
    /// Closed when hooks that wait may go on.
    go_on: (Sender<()>, Receiver<()>),
}

/// What a hook does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Succeeds,
    Fails,
    Panics,
    Waits,
}

#[derive(Debug, Default)]
struct Pages {
    lines: Vec<String>,
    metadata: Vec<Metadata>,
    log: Option<Log>,
}

impl Default for Diary {
    fn default() -> Self {
        Self {
            setup: Manner::Succeeds,
            teardown: Manner::Succeeds,
            pages: Mutex::default(),
            go_on: async_channel::bounded(1),
        }
    }
}

impl Diary {
    pub(super) fn setup(mut self, manner: Manner) -> Self {
        self.setup = manner;
        self
    }

    pub(super) fn teardown(mut self, manner: Manner) -> Self {
        self.teardown = manner;
        self
    }

    /// Writes the names of the hooks to a file that bodies write to as well.
    pub(super) fn watch(&self, log: &Log) {
        self.pages().log = Some(log.clone());
    }

    /// Lets the hooks go on that wait.
    pub(super) fn go_on(&self) {
        self.go_on.0.close();
    }

    pub(super) fn has(&self, line: &str) -> bool {
        self.pages().lines.iter().any(|written| written == line)
    }

    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.pages().lines)
    }

    /// The metadata that the hooks saw.
    pub(super) fn metadata(&self) -> Vec<Metadata> {
        std::mem::take(&mut self.pages().metadata)
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, hook: &str, ctx: &TaskContext, rest: &str) -> Result<(), BoxError> {
        let mut pages = self.pages();
        pages.lines.push(format!("{hook} {}{rest}", ctx.attempt()));
        pages.metadata.push(ctx.metadata().clone());
        pages.log.as_ref().map_or(Ok(()), |log| Ok(note(log.path(), hook)?))
    }

    async fn behave(&self, manner: Manner, hook: &str) -> Result<(), BoxError> {
        match manner {
            Manner::Succeeds => Ok(()),
            Manner::Fails => Err(format!("{hook} failed").into()),
            Manner::Panics => panic!("{hook} panicked"),
            Manner::Waits => {
                // Ends by an error when the channel is closed, which is the signal.
                let _ = self.go_on.1.recv().await;
                Ok(())
            }
        }
    }
}

impl Hooks for Diary {
    fn setup<'a>(&'a self, ctx: &'a TaskContext) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(async move {
            self.write("setup", ctx, "")?;
            self.behave(self.setup, "setup").await
        })
    }

    fn teardown<'a>(
        &'a self,
        ctx: &'a TaskContext,
        outcome: &'a Outcome,
    ) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(async move {
            self.write("teardown", ctx, &format!(" {}", outcome.state()))?;
            self.behave(self.teardown, "teardown").await
        })
    }
}
