//! [`Hand`]: one task that a worker has.

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use bytes::Bytes;
use outwork_core::Task;
use tokio::sync::Notify;

use super::{settled::Key, token::Token};
use crate::{
    lock::lock,
    wire::{Envelope, RemoteEvent, TaskMessage},
};

/// One task that a worker has, from its delivery until it is acknowledged.
#[derive(Debug)]
pub(super) struct Hand {
    pub(super) envelope: Envelope,
    pub(super) task: Task,
    /// Where replies go, if that is where replies may go.
    pub(super) reply_to: Option<Arc<str>>,
    /// The body as it came, if it came by itself.
    whole: Option<Bytes>,
    /// Told when the task is cancelled or is to be given back.
    pub(super) changed: Notify,
    /// Told when nobody waits for the body any longer.
    abandoned: Notify,
    /// Held by who sends the events, so that they go in order.
    sending: tokio::sync::Mutex<()>,
    state: Mutex<HandState>,
}

#[derive(Debug, Default)]
struct HandState {
    tokens: Vec<Token>,
    wish: Wish,
    place: Held,
    started: Option<Instant>,
    /// The client was told of the start.
    announced: bool,
    /// Events on their way out, in order.
    outbox: Vec<RemoteEvent>,
}

/// Who has a task that is in hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Held {
    /// The worker itself: it waits, or has come back from the pool.
    #[default]
    Here,
    /// The pool, which has to be told of a wish.
    InPool,
    /// The worker, which sends its result: a wish comes too late.
    Ending,
    /// Nobody any more: another message has it.
    LetGo,
}

/// What is wanted of a task that is in hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Wish {
    /// That it is run.
    #[default]
    Run,
    /// That another worker gets it.
    GiveBack,
    /// That it stops.
    Cancel,
}

impl Hand {
    pub(super) fn new(
        message: TaskMessage,
        whole: Option<Bytes>,
        reply_to: Option<Arc<str>>,
        token: Token,
    ) -> Self {
        let TaskMessage { envelope, task } = message;
        let state = HandState { tokens: vec![token], ..HandState::default() };
        Self {
            envelope,
            task,
            reply_to,
            whole,
            changed: Notify::new(),
            abandoned: Notify::new(),
            sending: tokio::sync::Mutex::const_new(()),
            state: Mutex::new(state),
        }
    }

    pub(super) fn key(&self) -> Key {
        Key::of(&self.envelope)
    }

    /// The body of a message with this task alone, for the next attempt and the dead letters.
    pub(super) fn body(&self) -> Bytes {
        match &self.whole {
            Some(whole) => whole.clone(),
            // What was read out of a chunk can be written: that is part of reading one.
            None => TaskMessage::body(&self.task).unwrap_or_default(),
        }
    }

    /// The attempt, from 1.
    pub(super) fn attempt(&self) -> u32 {
        self.envelope.failures + 1
    }

    /// The task was delivered again. When the connection is still there over which it came
    /// first, this is another copy of its message, which is given back to be acknowledged at
    /// once: it would take the place of another task for as long as this one runs. Else the
    /// broker has delivered the message again, which has to be acknowledged in the end.
    pub(super) fn add_token(&self, token: Token) -> Option<Token> {
        let mut state = lock(&self.state);
        if state.tokens.iter().any(|other| other.epoch() == token.epoch()) {
            return Some(token);
        }
        state.tokens.push(token);
        None
    }

    pub(super) fn take_tokens(&self) -> Vec<Token> {
        std::mem::take(&mut lock(&self.state).tokens)
    }

    /// Notes what is wanted, unless it is too late; a cancellation is stronger than a wish to
    /// give back. Who has the task and has to be told.
    pub(super) fn wish(&self, wish: Wish) -> Held {
        let mut state = lock(&self.state);
        if matches!(state.place, Held::Here | Held::InPool) {
            state.wish = state.wish.max(wish);
        }
        let place = state.place;
        drop(state);
        self.changed.notify_one();
        place
    }

    pub(super) fn place(&self) -> Held {
        lock(&self.state).place
    }

    /// Heeds no wish from here on; what was wanted last.
    pub(super) fn close(&self, place: Held) -> Wish {
        let mut state = lock(&self.state);
        state.place = place;
        state.wish
    }

    /// Gives the body up: the task is given back although it still runs.
    pub(super) fn abandon(&self) {
        self.abandoned.notify_one();
    }

    /// Waits until the body is given up.
    pub(super) async fn given_up(&self) {
        self.abandoned.notified().await;
    }

    pub(super) fn wanted(&self) -> Wish {
        lock(&self.state).wish
    }

    /// Says that the pool gets it, unless something else is wanted.
    pub(super) fn hand_over(&self) -> Wish {
        let mut state = lock(&self.state);
        if state.wish == Wish::Run {
            state.place = Held::InPool;
        }
        state.wish
    }

    /// The body has begun.
    pub(super) fn note_start(&self, now: Instant) {
        lock(&self.state).started = Some(now);
    }

    pub(super) fn started(&self) -> Option<Instant> {
        lock(&self.state).started
    }

    /// Puts the start into the outbox, once; whether it was put there now.
    pub(super) fn announce(&self) -> bool {
        let mut state = lock(&self.state);
        if state.announced || state.started.is_none() {
            return false;
        }
        state.announced = true;
        state.outbox.push(RemoteEvent::Started { attempt: self.attempt() });
        true
    }

    pub(super) fn put_out(&self, event: RemoteEvent) {
        lock(&self.state).outbox.push(event);
    }

    /// Whether there are events to be sent, or somebody is about to send some.
    pub(super) fn has_something_to_send(&self) -> bool {
        !lock(&self.state).outbox.is_empty() || self.sending.try_lock().is_err()
    }

    /// Waits until nobody else sends its events, and keeps others from it.
    pub(super) async fn turn_to_send(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.sending.lock().await
    }

    pub(super) fn take_outbox(&self) -> Vec<RemoteEvent> {
        std::mem::take(&mut lock(&self.state).outbox)
    }
}
