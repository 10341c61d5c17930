//! What a handle sees of a [`Cell`].

use std::{
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, ready},
    time::{Duration, UNIX_EPOCH},
};

use outwork_core::{
    Cancel, EventFilter, EventStream, JobHandle, JoinSource, Outcome, Payload, State, TaskId,
    WaitKey, blocking::ExecutorId,
};

use super::Cell;
use crate::executor::client::Client;

impl JoinSource<Payload> for Cell {
    fn poll_outcome(&self, cx: &mut Context<'_>, key: &mut WaitKey) -> Poll<Option<Outcome>> {
        ready!(self.ended.poll_ended(cx, key));
        let mut inner = self.lock();
        let addressed = self.addressed.load(Ordering::Relaxed);
        Poll::Ready(if addressed { inner.outcome.clone() } else { inner.outcome.take() })
    }

    fn poll_ended(&self, cx: &mut Context<'_>, key: &mut WaitKey) -> Poll<()> {
        self.ended.poll_ended(cx, key)
    }

    fn forget(&self, key: &mut WaitKey) {
        self.ended.forget(key);
    }

    fn task_id(&self) -> TaskId {
        self.id
    }

    fn state(&self) -> State {
        self.state_now()
    }

    fn cancel(self: Arc<Self>) -> Cancel {
        Client::cancel_in_background(self)
    }

    fn events(&self) -> EventStream {
        self.client.hub.subscribe(EventFilter::all().task(self.id))
    }

    fn job_handle(self: Arc<Self>) -> JobHandle {
        self.set_addressed();
        let since = Duration::from_millis(u64::try_from(self.submitted).unwrap_or_default());
        JobHandle::new(self.id, self.client.name())
            .with_name(self.name.clone())
            .with_submitted_at(UNIX_EPOCH + since)
            .with_detail("queue", self.queue.as_str())
    }

    fn executor(&self) -> ExecutorId {
        self.client.id
    }
}
