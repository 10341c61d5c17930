//! [`Hands`]: the tasks that a worker has.

use std::{
    collections::hash_map::Entry,
    sync::{Arc, Mutex},
};

use foldhash::HashMap;
use outwork_core::TaskId;

use super::{
    hand::Hand,
    settled::{Key, Settled},
    token::Token,
};
use crate::lock::lock;

/// The tasks that a worker has, and what it has dealt with, so that copies of either are known.
#[derive(Debug, Default)]
pub(super) struct Hands {
    full: Mutex<HashMap<Key, Arc<Hand>>>,
    /// Of these, the ones that the pool has. It takes no two of one id.
    in_pool: Mutex<HashMap<TaskId, Arc<Hand>>>,
    settled: Mutex<Settled>,
}

/// What a message turned out to be.
#[derive(Debug)]
pub(super) enum Taken {
    New(Arc<Hand>),
    /// A copy of what is in hand or was dealt with; of these, what is to be acknowledged now.
    Copy(Vec<Token>),
}

impl Hands {
    /// Takes a task into hand.
    pub(super) fn take(&self, hand: Hand) -> Taken {
        if lock(&self.settled).contains(&hand.key()) {
            return Taken::Copy(hand.take_tokens());
        }
        match lock(&self.full).entry(hand.key()) {
            Entry::Occupied(there) => {
                let tokens = hand.take_tokens().into_iter();
                Taken::Copy(tokens.filter_map(|token| there.get().add_token(token)).collect())
            }
            Entry::Vacant(place) => Taken::New(Arc::clone(place.insert(Arc::new(hand)))),
        }
    }

    /// Notes that a task is dealt with: a message that is like its own is a copy from here on.
    pub(super) fn note_settled(&self, hand: &Hand) {
        lock(&self.settled).add(hand.key());
    }

    /// The same attempt is to come again, perhaps to this very worker.
    pub(super) fn forget_settled(&self, hand: &Hand) {
        lock(&self.settled).forget(&hand.key());
    }

    /// Empties a hand, once what was in it is dealt with, and acknowledges.
    pub(super) fn let_go(&self, hand: &Hand) {
        lock(&self.full).remove(&hand.key());
        for token in hand.take_tokens() {
            token.acknowledge();
        }
    }

    /// Empties a hand whose task has gone back into its queue, and acknowledges what had been
    /// delivered before. What has come since may be that very message: it goes to another.
    pub(super) fn hand_back(&self, hand: &Hand, before: Vec<Token>) {
        lock(&self.full).remove(&hand.key());
        for token in before {
            token.acknowledge();
        }
        for token in hand.take_tokens() {
            token.put_back();
        }
    }

    /// Empties a hand without an acknowledgement: the worker was closed before it could be
    /// settled, and the broker gives the task to another.
    pub(super) fn drop_unsettled(&self, hand: &Hand) {
        lock(&self.full).remove(&hand.key());
    }

    pub(super) fn all(&self) -> Vec<Arc<Hand>> {
        lock(&self.full).values().cloned().collect()
    }

    pub(super) fn len(&self) -> usize {
        lock(&self.full).len()
    }

    pub(super) fn enter_pool(&self, hand: &Arc<Hand>) {
        lock(&self.in_pool).insert(hand.envelope.id, Arc::clone(hand));
    }

    pub(super) fn leave_pool(&self, hand: &Hand) {
        lock(&self.in_pool).remove(&hand.envelope.id);
    }

    pub(super) fn find_in_pool(&self, id: TaskId) -> Option<Arc<Hand>> {
        lock(&self.in_pool).get(&id).cloned()
    }

    pub(super) fn in_pool(&self) -> Vec<Arc<Hand>> {
        lock(&self.in_pool).values().cloned().collect()
    }
}
