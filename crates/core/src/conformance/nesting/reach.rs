//! [`Nest`]: how a body calls the executor that runs it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::{Deserialize, Serialize};

use crate::{
    BoxError, Executor, Outcome, Shutdown, SubmitError, TaskId, WaitError,
    blocking::block_on_for,
    conformance::{
        PATIENCE,
        script::{Body, Script},
    },
};

/// What a body replies that was refused a wait.
pub(super) const WOULD_DEADLOCK: &str = "would deadlock";

/// The executors of this process that bodies can reach.
static REACHABLE: Mutex<BTreeMap<u64, Weak<dyn Executor>>> = Mutex::new(BTreeMap::new());

/// Makes an executor reachable from its tasks until it is dropped.
#[derive(Debug)]
pub(super) struct Reachable {
    key: u64,
}

/// A call of the executor that runs the body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::conformance) struct Nest {
    key: u64,
    ask: Ask,
}

/// What a body wants of its executor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::conformance) enum Ask {
    /// The result of another task.
    Call { body: Body, script: Script, blocking: bool },
    /// How it is.
    Questions,
    /// That it stops.
    Shutdown,
}

impl Reachable {
    pub(super) fn new(executor: &Arc<dyn Executor>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let key = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut reachable = REACHABLE.lock().unwrap_or_else(PoisonError::into_inner);
        reachable.insert(key, Arc::downgrade(executor));
        Self { key }
    }

    pub(super) fn nest(&self, ask: Ask) -> Nest {
        Nest { key: self.key, ask }
    }
}

impl Drop for Reachable {
    fn drop(&mut self) {
        REACHABLE.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

impl Nest {
    fn executor(&self) -> Result<Arc<dyn Executor>, BoxError> {
        let reachable = REACHABLE.lock().unwrap_or_else(PoisonError::into_inner);
        let executor = reachable.get(&self.key).and_then(Weak::upgrade);
        executor.ok_or_else(|| "the executor cannot be reached from here".into())
    }

    /// Calls it from a body that may block.
    pub(in crate::conformance) fn block(self) -> Result<String, BoxError> {
        let executor = self.executor()?;
        let waited = match self.ask {
            Ask::Call { body, script, .. } => call_blocking(&*executor, body, script),
            Ask::Questions => block_on_for(questions(&*executor), Some(PATIENCE)),
            Ask::Shutdown => block_on_for(stop(&*executor), Some(PATIENCE)),
        };
        match waited {
            Err(WaitError::WouldDeadlock(_)) => Ok(WOULD_DEADLOCK.to_owned()),
            waited => Ok(waited?),
        }
    }

    /// Calls it from a body that awaits, unless it is to block all the same.
    pub(in crate::conformance) async fn wait(self) -> Result<String, BoxError> {
        let executor = self.executor()?;
        match self.ask {
            Ask::Call { blocking: true, .. } => self.block(),
            Ask::Call { body, script, .. } => Ok(match executor.submit(body.task(script)).await {
                Ok(handle) => words(handle.await),
                Err(error) => refused(&error),
            }),
            Ask::Questions => Ok(questions(&*executor).await),
            Ask::Shutdown => Ok(stop(&*executor).await),
        }
    }
}

fn call_blocking(executor: &dyn Executor, body: Body, script: Script) -> Result<String, WaitError> {
    match block_on_for(executor.submit(body.task(script)), Some(PATIENCE))? {
        Ok(mut handle) => {
            block_on_for(handle.ended(), Some(PATIENCE))?;
            handle.wait_timeout(PATIENCE).map(words)
        }
        Err(error) => Ok(refused(&error)),
    }
}

fn words(outcome: Outcome) -> String {
    match outcome.decode::<String>().into_result() {
        Ok(reply) => reply,
        Err(error) => format!("failed: {error}"),
    }
}

fn refused(error: &SubmitError) -> String {
    format!("refused: {:?}", error.kind())
}

async fn questions(executor: &dyn Executor) -> String {
    let in_flight = executor.status().in_flight;
    let _events = executor.events(crate::EventFilter::all());
    let cancel = executor.cancel(TaskId::new()).await;
    format!("{in_flight} in flight, {cancel:?}")
}

async fn stop(executor: &dyn Executor) -> String {
    let report = executor.shutdown(Shutdown::drain(PATIENCE)).await;
    format!("stopped: {}", report.stopped)
}
