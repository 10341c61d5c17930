//! [`Answers`]: what workers answer over the control plane.

use std::{collections::HashMap, sync::Mutex};

use outwork_core::TaskId;
use tokio::sync::mpsc;

use crate::lock::lock;

/// Who waits for the answers to which question, such as a tombstone.
#[derive(Debug)]
pub(super) struct Answers<A> {
    waiting: Mutex<HashMap<TaskId, Vec<mpsc::UnboundedSender<A>>>>,
}

impl<A> Default for Answers<A> {
    fn default() -> Self {
        Self { waiting: Mutex::default() }
    }
}

impl<A: Clone> Answers<A> {
    pub(super) fn expect(&self, id: TaskId) -> mpsc::UnboundedReceiver<A> {
        let (send, receive) = mpsc::unbounded_channel();
        lock(&self.waiting).entry(id).or_default().push(send);
        receive
    }

    /// Tells whoever waits for it.
    pub(super) fn tell(&self, id: TaskId, answer: &A) {
        let waiting = lock(&self.waiting);
        for waits in waiting.get(&id).into_iter().flatten() {
            // Who has gone is forgotten below.
            let _ = waits.send(answer.clone());
        }
    }

    /// Forgets those who have gone.
    pub(super) fn tidy(&self, id: TaskId) {
        let mut waiting = lock(&self.waiting);
        if let Some(list) = waiting.get_mut(&id) {
            list.retain(|waits| !waits.is_closed());
            if list.is_empty() {
                waiting.remove(&id);
            }
        }
    }
}
