//! [`Twisted`]: an executor around another one that changes what it does.

use std::{fmt::Debug, sync::Arc, thread, time::Duration};

use outwork_core::{
    AttachError, Batch, BoxFuture, Cancel, Capabilities, EventFilter, EventStream, Executor,
    ExecutorConfig, ExecutorStatus, JobHandle, Shutdown, ShutdownReport, SubmitError,
    SubmitManyError, Task, TaskHandle, TaskId,
};

/// What is changed; by itself nothing is.
pub trait Twist: Debug + Send + Sync + 'static {
    fn handle(&self, handle: TaskHandle) -> TaskHandle {
        handle
    }

    fn events(&self, inner: &dyn Executor, filter: EventFilter) -> EventStream {
        inner.events(filter)
    }

    fn capabilities(&self, can: Capabilities) -> Capabilities {
        can
    }

    fn before_shutdown(&self) {}
}

/// An executor around another one that changes what it does.
#[derive(Debug)]
pub struct Twisted<T> {
    pub inner: Arc<dyn Executor>,
    pub twist: T,
}

impl<T: Twist> Executor for Twisted<T> {
    fn submit(&self, task: Task) -> BoxFuture<'_, Result<TaskHandle, SubmitError>> {
        Box::pin(async { self.inner.submit(task).await.map(|handle| self.twist.handle(handle)) })
    }

    fn try_submit(&self, task: Task) -> Result<TaskHandle, SubmitError> {
        self.inner.try_submit(task).map(|handle| self.twist.handle(handle))
    }

    fn submit_many(
        &self,
        tasks: Vec<Task>,
        batch: Batch,
    ) -> BoxFuture<'_, Result<Vec<TaskHandle>, SubmitManyError>> {
        Box::pin(async move {
            let handles = self.inner.submit_many(tasks, batch).await?;
            Ok(handles.into_iter().map(|handle| self.twist.handle(handle)).collect())
        })
    }

    fn attach(&self, job: &JobHandle) -> BoxFuture<'_, Result<TaskHandle, AttachError>> {
        self.inner.attach(job)
    }

    fn cancel(&self, id: TaskId) -> BoxFuture<'_, Cancel> {
        self.inner.cancel(id)
    }

    fn cancel_all(&self) -> BoxFuture<'_, usize> {
        self.inner.cancel_all()
    }

    fn status(&self) -> ExecutorStatus {
        self.inner.status()
    }

    fn events(&self, filter: EventFilter) -> EventStream {
        self.twist.events(&*self.inner, filter)
    }

    fn capabilities(&self) -> Capabilities {
        self.twist.capabilities(self.inner.capabilities())
    }

    fn config(&self) -> ExecutorConfig {
        self.inner.config()
    }

    fn shutdown(&self, how: Shutdown) -> BoxFuture<'_, ShutdownReport> {
        self.twist.before_shutdown();
        self.inner.shutdown(how)
    }
}

/// Returns from a submission only when the task has ended. That is no defect.
#[derive(Debug)]
pub struct LockStep;

impl LockStep {
    pub fn around(inner: Arc<dyn Executor>) -> Arc<dyn Executor> {
        Arc::new(Twisted { inner, twist: Self })
    }
}

impl Twist for LockStep {
    fn handle(&self, handle: TaskHandle) -> TaskHandle {
        while !handle.state().is_final() {
            thread::sleep(Duration::from_millis(1));
        }
        handle
    }

    fn capabilities(&self, mut can: Capabilities) -> Capabilities {
        (can.submits_ahead, can.concurrent) = (false, false);
        can
    }
}
