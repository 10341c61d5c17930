//! [`CancelAcks`]: what workers answer to tombstones.

use std::{collections::HashMap, sync::Mutex};

use outwork_core::TaskId;
use tokio::sync::mpsc;

use crate::{lock::lock, wire::CancelAck};

/// Who waits for the answers to which tombstones.
#[derive(Debug, Default)]
pub(super) struct CancelAcks {
    waiting: Mutex<HashMap<TaskId, Vec<mpsc::UnboundedSender<CancelAck>>>>,
}

impl CancelAcks {
    pub(super) fn expect(&self, id: TaskId) -> mpsc::UnboundedReceiver<CancelAck> {
        let (send, receive) = mpsc::unbounded_channel();
        lock(&self.waiting).entry(id).or_default().push(send);
        receive
    }

    /// Whether anybody waited for it.
    pub(super) fn tell(&self, ack: &CancelAck) {
        let waiting = lock(&self.waiting);
        for waits in waiting.get(&ack.id).into_iter().flatten() {
            // Who has gone is forgotten below.
            let _ = waits.send(ack.clone());
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
