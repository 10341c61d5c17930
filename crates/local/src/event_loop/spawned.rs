//! [`Spawned`]: a future without a name, as the loops see it.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use outwork_core::{
    CancelSource, EventHub, StopLevel, TaskError, WaitKey,
    engine::{contain, contain_drop},
};

use super::generation::{LocalLoop, Started};
use crate::anonymous::{Anonymous, Stop};

/// A future without a name. It is made by `M` on the loop that runs it.
pub(super) type Spawned<M, T> = Anonymous<M, T, CancelSource>;

/// A future that waits for its loop, with its types forgotten.
pub(super) trait Spawnable: Send + Sync {
    /// Starts it on the loop of this thread, unless it was cancelled.
    fn start(self: Arc<Self>, here: &Rc<LocalLoop>);
    /// Ends it without starting it, when it has left the queue.
    fn cancel_queued(&self, pool: &EventHub);
    /// Makes it stop at its next await.
    fn stop(&self);
    /// Ends it although it runs.
    fn lose(&self, pool: &EventHub);
}

impl<M, F, T> Spawnable for Spawned<M, T>
where
    M: FnOnce() -> F + Send + 'static,
    F: Future<Output = T> + 'static,
    T: Send + 'static,
{
    fn start(self: Arc<Self>, here: &Rc<LocalLoop>) {
        let mut started = Started::new(here);
        let hub = started.hub();
        let Some(make) = self.begin(&hub, || started.worker()) else {
            return Anonymous::cancel_queued(&self, &hub);
        };
        started.register(Arc::clone(&self) as Arc<dyn Spawnable>);
        here.spawn(async move {
            let result = drive(make, self.stopper()).await;
            started.leave();
            // Still listed, so that those who stop the pool either end it or find it ended.
            self.end(&hub, result);
            drop(started);
            contain_drop(self);
        });
    }

    fn cancel_queued(&self, pool: &EventHub) {
        Anonymous::cancel_queued(self, pool);
    }

    fn stop(&self) {
        self.stopper().stop();
    }

    fn lose(&self, pool: &EventHub) {
        Anonymous::lose(self, pool);
    }
}

/// Polls a future until it is ready or forced to stop, and drops it before its end is visible.
/// Its panics stay here, those of its destructor too.
async fn drive<M, F>(make: M, stop: &CancelSource) -> Result<F::Output, TaskError>
where
    M: FnOnce() -> F,
    F: Future,
{
    let mut future = pin!(Some(contain(make)?));
    let mut key = WaitKey::default();
    let result = poll_fn(|cx| poll(future.as_mut(), stop, cx, &mut key)).await;
    stop.forget(&mut key);
    if contain(|| future.set(None)).is_err() {
        tracing::error!("the destructor of a future panicked");
    }
    result
}

fn poll<F: Future>(
    future: Pin<&mut Option<F>>,
    stop: &CancelSource,
    cx: &mut Context<'_>,
    key: &mut WaitKey,
) -> Poll<Result<F::Output, TaskError>> {
    if stop.level() == StopLevel::Forced {
        return Poll::Ready(Err(TaskError::cancelled()));
    }
    let future = future.as_pin_mut().expect("it is taken out only once it is ready");
    match contain(|| future.poll(cx)) {
        Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
        Err(panic) => Poll::Ready(Err(panic)),
        Ok(Poll::Pending) => {
            let forced = stop.poll_level(StopLevel::Forced, cx, key);
            forced.map(|()| Err(TaskError::cancelled()))
        }
    }
}
