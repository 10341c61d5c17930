//! [`wait_many`]: several handles, one wait.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use super::call::sleep;
use crate::{Outcome, TaskHandle};

/// What [`wait_many`] found: who has ended, and who had not when the time was up.
#[derive(Debug)]
pub struct WaitMany<T> {
    /// Ended, by place in the input, in the order of the input.
    pub done: Vec<(usize, Outcome<T>)>,
    /// Not ended; they run on and can be awaited again.
    pub pending: Vec<(usize, TaskHandle<T>)>,
}

/// Waits until all tasks have ended, or the time is up, which stops none of them.
///
/// # Cancel safety
///
/// Dropping the future gives the handles up: their tasks run on, detached.
pub async fn wait_many<T>(handles: Vec<TaskHandle<T>>, timeout: Option<Duration>) -> WaitMany<T> {
    let mut pending: Vec<_> = handles.into_iter().enumerate().collect();
    let mut done = Vec::with_capacity(pending.len());
    let mut time_up = pin!(async {
        match timeout {
            Some(timeout) => sleep(timeout).await,
            None => std::future::pending().await,
        }
    });
    poll_fn(|cx| {
        pending.retain_mut(|(index, handle)| match Pin::new(handle).poll(cx) {
            Poll::Ready(outcome) => {
                done.push((*index, outcome));
                false
            }
            Poll::Pending => true,
        });
        if pending.is_empty() { Poll::Ready(()) } else { time_up.as_mut().poll(cx) }
    })
    .await;
    done.sort_by_key(|(index, _)| *index);
    WaitMany { done, pending }
}
