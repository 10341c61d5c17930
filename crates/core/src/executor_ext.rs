//! [`ExecutorExt`]: the calls that are pleasant to use, over any executor.

mod call;
mod iter;
mod map;
mod run_multiple;
mod wait_many;

pub use iter::BlockingIter;
pub use map::Map;
pub use run_multiple::{Limits, RunMultiple};
pub use wait_many::{WaitMany, wait_many};

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use futures_core::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    CallError, Executor, Outcome, ScopedExecutor, Shutdown, SubmitError, Task, TaskDef, TaskHandle,
    TaskOptions, WaitError, blocking::block_on_for,
};

/// The calls that are pleasant to use, over any executor, also behind `dyn`.
pub trait ExecutorExt: Executor {
    /// Submits a typed task and returns its handle.
    ///
    /// # Errors
    ///
    /// When the arguments do not encode, or the task is not accepted.
    ///
    /// # Cancel safety
    ///
    /// As for [`Executor::submit`].
    fn spawn_task<'a, A, R>(
        &'a self,
        def: TaskDef<A, R>,
        args: &A,
        options: TaskOptions,
    ) -> BoxFuture<'a, Result<TaskHandle<R>, CallError>>
    where
        A: Serialize,
        R: DeserializeOwned + 'a,
    {
        let task = def.task(args).map(|task| task.with_options(options));
        Box::pin(async move { Ok(self.submit(task?).await?.decoded()) })
    }

    /// Calls a task and waits for its result.
    ///
    /// ```
    /// # use outwork_core::{CallError, Executor, ExecutorExt, TaskDef};
    /// const DOUBLE: TaskDef<u64, u64> = TaskDef::new("demo.double");
    ///
    /// async fn four(executor: &dyn Executor) -> Result<u64, CallError> {
    ///     executor.call(DOUBLE, &2).await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// When the arguments do not encode, the task is not accepted, or it ends without a result.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before the task was accepted: not submitted.
    /// Afterwards: the task runs on, detached.
    fn call<'a, A, R>(&'a self, def: TaskDef<A, R>, args: &A) -> BoxFuture<'a, Result<R, CallError>>
    where
        A: Serialize,
        R: DeserializeOwned + 'a,
    {
        call::call(self, def.task(args))
    }

    /// Calls a task and blocks until it has a result.
    ///
    /// # Errors
    ///
    /// As for [`call`](Self::call), and when blocking here would stop the executor.
    fn blocking_call<A, R>(&self, def: TaskDef<A, R>, args: &A) -> Result<R, CallError>
    where
        A: Serialize,
        R: DeserializeOwned,
    {
        block_on_for(self.call(def, args), None)?
    }

    /// Submits a task, blocking while there is no room.
    ///
    /// # Errors
    ///
    /// As for [`Executor::submit`]; when blocking here would stop the executor, or the time is
    /// up, the task is gone with the wait.
    fn blocking_submit(
        &self,
        task: Task,
        timeout: Option<Duration>,
    ) -> Result<TaskHandle, CallError> {
        Ok(block_on_for(self.submit(task), timeout)??)
    }

    /// Submits a task, waiting at most so long for room; then it is given back.
    ///
    /// # Errors
    ///
    /// As for [`Executor::try_submit`].
    fn submit_timeout(&self, task: Task, timeout: Duration) -> Result<TaskHandle, SubmitError> {
        call::submit_timeout(self, task, timeout)
    }

    /// Calls a task for each input and yields the results in the order of the inputs.
    ///
    /// Inputs are taken as there is room: never more than `in_flight` are held,
    /// so the inputs may be endless. An input that fails yields its error and stops nothing.
    /// Dropping the stream cancels what is in flight.
    ///
    /// The tasks are [in bulk](TaskOptions::bulk): an executor that sends them away may send
    /// several in one message.
    fn map<'a, A, R, I>(
        &'a self,
        def: TaskDef<A, R>,
        inputs: I,
        in_flight: NonZeroUsize,
    ) -> Map<'a, R>
    where
        A: Serialize + 'a,
        R: DeserializeOwned + 'static,
        I: IntoIterator<Item = A>,
        I::IntoIter: Send + 'a,
    {
        let options = Arc::new(TaskOptions::new().bulk(true));
        let task = move |args| Ok(def.task(&args)?.with_options(Arc::clone(&options)));
        let tasks = inputs.into_iter().map(task);
        Map::new(call::submitter(self), Box::new(tasks), in_flight)
    }

    /// [`map`](Self::map) as an iterator that blocks.
    fn blocking_map<'a, A, R, I>(
        &'a self,
        def: TaskDef<A, R>,
        inputs: I,
        in_flight: NonZeroUsize,
    ) -> BlockingIter<Map<'a, R>>
    where
        A: Serialize + 'a,
        R: DeserializeOwned + 'static,
        I: IntoIterator<Item = A>,
        I::IntoIter: Send + 'a,
    {
        BlockingIter::new(self.map(def, inputs, in_flight))
    }

    /// Runs tasks, at most `limits.in_flight` at once, and yields `(index, outcome)` as they end.
    ///
    /// The tasks are taken as there is room. One that fails, is cancelled or refused yields
    /// its error and stops nothing. Dropping the stream cancels the rest.
    fn run_multiple<'a, I>(&'a self, tasks: I, limits: Limits) -> RunMultiple<'a>
    where
        I: IntoIterator<Item = Task>,
        I::IntoIter: Send + 'a,
    {
        RunMultiple::new(call::submitter(self), Box::new(tasks.into_iter()), limits)
    }

    /// [`run_multiple`](Self::run_multiple) as an iterator that blocks.
    fn blocking_run_multiple<'a, I>(
        &'a self,
        tasks: I,
        limits: Limits,
    ) -> BlockingIter<RunMultiple<'a>>
    where
        I: IntoIterator<Item = Task>,
        I::IntoIter: Send + 'a,
    {
        BlockingIter::new(self.run_multiple(tasks, limits))
    }

    /// Waits until all tasks have ended, or the time is up, which stops none of them.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the handles up: their tasks run on, detached.
    fn wait_many<T: Send + 'static>(
        &self,
        handles: Vec<TaskHandle<T>>,
        timeout: Option<Duration>,
    ) -> BoxFuture<'static, WaitMany<T>> {
        Box::pin(wait_many(handles, timeout))
    }

    /// [`wait_many`](Self::wait_many), blocking.
    ///
    /// # Errors
    ///
    /// When blocking here would stop the executor.
    fn blocking_wait_many<T: Send + 'static>(
        &self,
        handles: Vec<TaskHandle<T>>,
        timeout: Option<Duration>,
    ) -> Result<WaitMany<T>, WaitError> {
        block_on_for(wait_many(handles, timeout), None)
    }

    /// Has the executor shut down, in this way, when the scope of what is returned is left.
    fn scoped(self, how: Shutdown) -> ScopedExecutor<Self>
    where
        Self: Sized,
    {
        ScopedExecutor::new(Arc::new(self), how)
    }
}

impl<E: Executor + ?Sized> ExecutorExt for E {}

/// One result of [`ExecutorExt::run_multiple`].
pub type Indexed = (usize, Result<Outcome, SubmitError>);
