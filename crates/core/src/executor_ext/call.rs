//! Single calls.

use std::{future::Future, sync::Arc, time::Duration};

use futures_core::future::BoxFuture;
use serde::de::DeserializeOwned;

use crate::{
    CallError, EncodeError, Executor, Refusal, SubmitError, SubmitErrorKind, Task, TaskHandle,
    Timer, WaitError, blocking::block_on_for,
};

/// Submits to an executor that is only borrowed, with its type forgotten.
pub(super) type Submitter<'a> =
    Arc<dyn Fn(Task) -> BoxFuture<'a, Result<TaskHandle, SubmitError>> + Send + Sync + 'a>;

/// Submits without waiting where there is room. Then the handle is there at once, to be
/// cancelled with the stream, also where acceptance takes a round trip.
pub(super) fn submitter<E: Executor + ?Sized>(executor: &E) -> Submitter<'_> {
    Arc::new(move |task| match executor.try_submit(task) {
        Err(error) if error.is_full() => executor.submit(error.into_task()),
        submitted => Box::pin(std::future::ready(submitted)),
    })
}

pub(super) fn call<'a, R, E>(
    executor: &'a E,
    task: Result<Task, EncodeError>,
) -> BoxFuture<'a, Result<R, CallError>>
where
    R: DeserializeOwned + 'a,
    E: Executor + ?Sized,
{
    Box::pin(async move {
        let handle = executor.submit(task?).await?;
        let result = handle.await.into_call_result()?;
        Ok(result.decode()?)
    })
}

/// Waits for room by the clock, and submits without waiting, so that the task can be given back.
pub(super) fn submit_timeout<E: Executor + ?Sized>(
    executor: &E,
    task: Task,
    timeout: Duration,
) -> Result<TaskHandle, SubmitError> {
    // Where acceptance takes a round trip, that is not what is waited for.
    let task = match executor.try_submit(task) {
        Err(error) if error.is_full() => error.into_task(),
        submitted => return submitted,
    };
    let spare = task.clone();
    match block_on_for(executor.submit(task), Some(timeout)) {
        Ok(result) => result,
        Err(WaitError::TimedOut(_) | WaitError::WouldDeadlock(_) | WaitError::Taken) => {
            executor.try_submit(spare).map_err(sent_already)
        }
    }
}

/// A task that is found to be alive when it is submitted once more was sent before the time was
/// up.
fn sent_already(error: SubmitError) -> SubmitError {
    if error.kind() != SubmitErrorKind::DuplicateId {
        return error;
    }
    let message = "the task was sent, and not accepted before the time was up";
    Refusal::new(SubmitErrorKind::Unconfirmed, message).with_task(error.into_task())
}

/// A future that is ready when the time is up, by the shared timer.
pub(super) fn sleep(duration: Duration) -> impl Future<Output = ()> + Send {
    let (send, receive) = async_channel::bounded::<()>(1);
    let timer = Timer::shared();
    let key = timer.after(duration, move || drop(send));
    let disarm = Disarm { timer, key };
    async move {
        let _ = receive.recv().await;
        drop(disarm);
    }
}

/// Takes the deadline back when nobody waits for it any more.
struct Disarm {
    timer: Timer,
    key: crate::TimerKey,
}

impl Drop for Disarm {
    fn drop(&mut self) {
        self.timer.cancel(self.key);
    }
}
