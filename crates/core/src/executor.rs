//! [`Executor`]: the contract that every way of running tasks keeps.

use std::fmt::Debug;

use futures_core::future::BoxFuture;

use crate::{
    AttachError, Cancel, Capabilities, EventFilter, EventStream, ExecutorConfig, ExecutorStatus,
    JobHandle, Shutdown, ShutdownReport, SubmitError, SubmitManyError, Task, TaskHandle, TaskId,
};

/// Runs tasks: on a thread, in a process, on an event loop, or on another machine.
///
/// The trait is what an implementor writes and what wrappers pass through;
/// [`ExecutorExt`](crate::ExecutorExt) has the calls that are pleasant to use.
/// Most implementors write a [`Backend`](crate::engine::Backend) and get all of this from the
/// [`Engine`](crate::engine::Engine). The `conformance` suite proves either.
///
/// # What every executor promises
///
/// - **Accepted means owned.** `Ok` from a submission means that the task will get an
///   [`Outcome`](crate::Outcome), on every path: its handle resolves, exactly once,
///   also when nobody listens yet, when the body panics, and when the executor is shut down.
/// - **Refused means returned.** An error gives the task back, and nothing of it runs;
///   only [`Unconfirmed`](crate::SubmitErrorKind::Unconfirmed) cannot know.
/// - **Running is real.** A task is `Running` only while its body really runs, and
///   `Cancelled` only when it has really stopped.
/// - **One ending.** A task has one final state and one final event.
///   A result that comes too late is dropped and counted.
/// - **Bounded.** What is accepted and not ended is limited; `submit` waits for room,
///   `try_submit` does not.
/// - **Contained.** A body, a destructor, a hook or a listener that panics is reported
///   and harms no other task.
///
/// # Ordering
///
/// Tasks of one priority start in the order in which they were accepted.
/// They end in any order.
///
/// # Calls from inside a task
///
/// Every method may be called from a task of the same executor.
/// Waiting there never stops the executor: a blocking wait either gets a spare worker
/// or fails with [`WouldDeadlock`](crate::WouldDeadlock).
pub trait Executor: Send + Sync + Debug {
    /// Hands a task over, waiting for room. `Ok` means accepted.
    ///
    /// # Errors
    ///
    /// With the task given back: unknown name, id in use, instance limit, contradicting
    /// options, or an executor that is shut down.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is ready: the task is not submitted and is gone,
    /// or, where it had to be sent somewhere and was, runs detached.
    fn submit(&self, task: Task) -> BoxFuture<'_, Result<TaskHandle, SubmitError>>;

    /// Hands a task over without waiting.
    ///
    /// Where acceptance takes a round trip, a later refusal resolves the handle as `Rejected`.
    ///
    /// # Errors
    ///
    /// As for [`submit`](Self::submit), and when there is no room.
    fn try_submit(&self, task: Task) -> Result<TaskHandle, SubmitError>;

    /// Hands over a batch that is checked whole before anything starts.
    /// Handles come in the order of the tasks; an empty batch is fine.
    ///
    /// # Errors
    ///
    /// When one task is found bad: none has started, and all are given back.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future: tasks that had room run detached, the rest are gone.
    fn submit_many(
        &self,
        tasks: Vec<Task>,
        batch: Batch,
    ) -> BoxFuture<'_, Result<Vec<TaskHandle>, SubmitManyError>>;

    /// Gets another handle of a task by its address.
    ///
    /// # Errors
    ///
    /// When the task is not known, or its outcome no longer.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    fn attach(&self, job: &JobHandle) -> BoxFuture<'_, Result<TaskHandle, AttachError>>;

    /// Asks a task to stop. See [`Cancel`] for what came of it; the handle says when it has.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future: the task may or may not have been asked.
    fn cancel(&self, id: TaskId) -> BoxFuture<'_, Cancel>;

    /// Makes a task stop, without the grace that it may have; otherwise as
    /// [`cancel`](Self::cancel), which is all that an executor does that cannot force anything.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future: the task may or may not have been made to stop.
    fn cancel_now(&self, id: TaskId) -> BoxFuture<'_, Cancel> {
        self.cancel(id)
    }

    /// Asks every task to stop, and returns how many were.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future: some may have been asked.
    fn cancel_all(&self) -> BoxFuture<'_, usize>;

    /// What the executor is doing now.
    fn status(&self) -> ExecutorStatus;

    /// Reads events from now on.
    fn events(&self, filter: EventFilter) -> EventStream;

    /// What the executor can really do.
    fn capabilities(&self) -> Capabilities;

    /// How to build the like of it. Tasks and other state of the moment are not in it.
    fn config(&self) -> ExecutorConfig;

    /// Takes no more tasks, and stops.
    ///
    /// # Cancel safety
    ///
    /// Once polled, the stop goes on without the future.
    fn shutdown(&self, how: Shutdown) -> BoxFuture<'_, ShutdownReport>;
}

/// What a batch does when there is not room for all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Batch {
    /// It waits, task by task.
    #[default]
    Wait,
    /// It is refused whole.
    Fit,
}

/// Implements [`Executor`] for a type by passing every call to an executor inside it.
///
/// ```
/// # use outwork_core::{delegate_executor, engine::{Backend, Engine}};
/// #[derive(Debug)]
/// struct MyPool<B: Backend> {
///     engine: Engine<B>,
/// }
/// delegate_executor!(impl[B: Backend] for MyPool<B> => engine);
/// ```
#[macro_export]
macro_rules! delegate_executor {
    (impl[$($generics:tt)*] for $type:ty => $inner:ident) => {
        impl<$($generics)*> $crate::Executor for $type {
            fn submit(
                &self,
                task: $crate::Task,
            ) -> $crate::BoxFuture<'_, Result<$crate::TaskHandle, $crate::SubmitError>> {
                $crate::Executor::submit(&self.$inner, task)
            }

            fn try_submit(
                &self,
                task: $crate::Task,
            ) -> Result<$crate::TaskHandle, $crate::SubmitError> {
                $crate::Executor::try_submit(&self.$inner, task)
            }

            fn submit_many(
                &self,
                tasks: Vec<$crate::Task>,
                batch: $crate::Batch,
            ) -> $crate::BoxFuture<'_, Result<Vec<$crate::TaskHandle>, $crate::SubmitManyError>>
            {
                $crate::Executor::submit_many(&self.$inner, tasks, batch)
            }

            fn attach(
                &self,
                job: &$crate::JobHandle,
            ) -> $crate::BoxFuture<'_, Result<$crate::TaskHandle, $crate::AttachError>> {
                $crate::Executor::attach(&self.$inner, job)
            }

            fn cancel(&self, id: $crate::TaskId) -> $crate::BoxFuture<'_, $crate::Cancel> {
                $crate::Executor::cancel(&self.$inner, id)
            }

            fn cancel_now(&self, id: $crate::TaskId) -> $crate::BoxFuture<'_, $crate::Cancel> {
                $crate::Executor::cancel_now(&self.$inner, id)
            }

            fn cancel_all(&self) -> $crate::BoxFuture<'_, usize> {
                $crate::Executor::cancel_all(&self.$inner)
            }

            fn status(&self) -> $crate::ExecutorStatus {
                $crate::Executor::status(&self.$inner)
            }

            fn events(&self, filter: $crate::EventFilter) -> $crate::EventStream {
                $crate::Executor::events(&self.$inner, filter)
            }

            fn capabilities(&self) -> $crate::Capabilities {
                $crate::Executor::capabilities(&self.$inner)
            }

            fn config(&self) -> $crate::ExecutorConfig {
                $crate::Executor::config(&self.$inner)
            }

            fn shutdown(
                &self,
                how: $crate::Shutdown,
            ) -> $crate::BoxFuture<'_, $crate::ShutdownReport> {
                $crate::Executor::shutdown(&self.$inner, how)
            }
        }
    };
}
