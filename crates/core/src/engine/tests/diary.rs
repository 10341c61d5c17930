//! [`Diary`]: a recorder and hooks that write down what they are told.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_channel::{Receiver, Sender};

use crate::{
    BoxError, BoxFuture, Change, Hooks, Outcome, Recorder, TaskContext, engine::EngineOptions,
    sync::Mutex, waiters::lock,
};

/// A recorder and hooks that write down what they are told, and may have trouble with it.
#[derive(Debug)]
pub(super) struct Diary {
    lines: Mutex<Vec<String>>,
    trouble: Mutex<Option<(&'static str, Trouble)>>,
    /// How often the hook before a body was called, also when its future was never polled.
    setups: AtomicUsize,
    /// Closed when whoever hangs may go on.
    go_on: (Sender<()>, Receiver<()>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    Fail,
    Panic,
    /// It takes until [`Diary::go_on`].
    Hang,
}

impl Diary {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            lines: Mutex::default(),
            trouble: Mutex::default(),
            setups: AtomicUsize::new(0),
            go_on: async_channel::bounded(1),
        })
    }

    /// Has trouble at what begins with this word.
    pub(super) fn trouble_at(word: &'static str, trouble: Trouble) -> Arc<Self> {
        let diary = Self::new();
        *lock(&diary.trouble) = Some((word, trouble));
        diary
    }

    /// Sets it up as the recorder.
    pub(super) fn recorder(self: &Arc<Self>) -> impl FnOnce(EngineOptions) -> EngineOptions {
        let diary = Arc::clone(self);
        |options| options.recorder(diary)
    }

    /// Sets it up as the recorder and the hooks.
    pub(super) fn both(self: &Arc<Self>) -> impl FnOnce(EngineOptions) -> EngineOptions {
        let diary = Arc::clone(self);
        |options| options.recorder(Arc::clone(&diary) as Arc<dyn Recorder>).hooks(diary)
    }

    pub(super) fn go_on(&self) {
        self.go_on.0.close();
    }

    pub(super) fn lines(&self) -> Vec<String> {
        lock(&self.lines).clone()
    }

    pub(super) fn setups(&self) -> usize {
        self.setups.load(Ordering::Relaxed)
    }

    async fn write(&self, line: String) -> Result<(), BoxError> {
        let trouble = *lock(&self.trouble);
        match trouble.filter(|(word, _)| line.starts_with(word)) {
            Some((_, Trouble::Fail)) => return Err("the diary is full".into()),
            Some((_, Trouble::Panic)) => panic!("the diary burns"),
            Some((_, Trouble::Hang)) => drop(self.go_on.1.recv().await),
            None => {}
        }
        lock(&self.lines).push(line);
        Ok(())
    }
}

impl Recorder for Diary {
    fn record<'a>(&'a self, change: Change<'a>) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(self.write(match change {
            Change::Submitted(_) => "submitted".to_owned(),
            Change::Started { attempt, .. } => format!("started {attempt}"),
            Change::JobHandle { handle, .. } => format!("job handle {handle}"),
            Change::Retrying { attempt, .. } => format!("retrying after {attempt}"),
            Change::Finished { outcome, .. } => {
                let notes = if outcome.notes().is_empty() { "" } else { " with notes" };
                format!("finished {}{notes}", outcome.state())
            }
        }))
    }
}

impl Hooks for Diary {
    fn setup<'a>(&'a self, ctx: &'a TaskContext) -> BoxFuture<'a, Result<(), BoxError>> {
        self.setups.fetch_add(1, Ordering::Relaxed);
        Box::pin(self.write(format!("setup {}", ctx.attempt())))
    }

    fn teardown<'a>(
        &'a self,
        ctx: &'a TaskContext,
        outcome: &'a Outcome,
    ) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(self.write(format!("teardown {} {}", ctx.attempt(), outcome.state())))
    }
}
