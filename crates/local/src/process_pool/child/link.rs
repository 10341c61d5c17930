//! [`Link`]: what the child says, few writes for many words, and nothing lost by a crash.

use std::{
    fs::File,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::FileExt,
    },
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::super::{
    sys,
    wire::{FromChild, Header, Outbox, journal},
};

#[cfg(test)]
mod tests;

/// How much is gathered at most before it is written: half of what the pool sends ahead
/// should come back while the child still has the other half to do.
const GATHERED: usize = 1536;

/// The child's words to its pool.
pub(super) struct Link {
    socket: OwnedFd,
    state: Mutex<State>,
}

struct State {
    journal: File,
    /// How many bytes have gone into the socket.
    sent: u64,
    /// What is to go there.
    gathered: Vec<u8>,
    /// How much of that the journal has; `None`: it has what was sent long ago.
    known: Option<usize>,
    /// Where the word lies that the body has begun, while it is the last one.
    start: Option<usize>,
    /// The task that was begun last.
    begun: u64,
    /// Where frames are made.
    outbox: Outbox,
    /// Where entries of the journal are made.
    page: Vec<u8>,
}

impl Link {
    pub(super) fn new(socket: OwnedFd, journal: File) -> Self {
        let state = State {
            journal,
            sent: 0,
            gathered: Vec::with_capacity(journal::CAPACITY),
            known: None,
            start: None,
            begun: 0,
            outbox: Outbox::default(),
            page: Vec::with_capacity(journal::CAPACITY),
        };
        Self { socket, state: Mutex::new(state) }
    }

    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that a body begins, and keeps everything that was said before it from being lost
    /// in it. With `at_once` the pool hears of it before the body has begun.
    pub(super) fn begin(&self, seq: u64, at_once: bool) {
        let mut state = self.lock();
        state.gather(&self.socket, &FromChild::Started { seq });
        state.begun = seq;
        // Also what is said at once: the journal alone tells what was begun when the channel
        // was cut off or garbled.
        state.keep();
        if at_once {
            state.flush(&self.socket);
        } else {
            state.start = Some(state.gathered.len() - Header::LENGTH);
        }
    }

    /// Says how a task ended, in place of its beginning if that was not heard of yet.
    pub(super) fn end(&self, word: &FromChild) {
        let mut state = self.lock();
        if let Some(start) = state.start.take() {
            state.gathered.truncate(start);
            state.known = state.known.map(|known| known.min(start));
        }
        state.gather(&self.socket, word);
        if state.gathered.len() >= GATHERED {
            state.flush(&self.socket);
        }
    }

    /// Says something now.
    pub(super) fn say(&self, word: &FromChild) {
        let mut state = self.lock();
        state.gather(&self.socket, word);
        state.flush(&self.socket);
    }

    /// Takes unstarted tasks out of where they wait, and gives them back, as one step: no task
    /// that came after them may be said to begin in between.
    pub(super) fn give_back<T: IntoIterator<Item = u64>>(&self, take: impl FnOnce() -> T) {
        let mut state = self.lock();
        for seq in take() {
            state.gather(&self.socket, &FromChild::Returned { seq });
        }
        state.flush(&self.socket);
    }

    /// Leaves a last word in the journal, for a pool that is not spoken to any more.
    pub(super) fn leave_behind(&self, word: &FromChild) {
        // Who holds it may wait for a channel that nobody reads.
        if let Ok(mut state) = self.state.try_lock() {
            state.gather(&self.socket, word);
            if state.known.is_none() {
                let seq = state.begun;
                // What the page said until now.
                state.gather(&self.socket, &FromChild::Started { seq });
            }
            state.keep();
        }
    }

    /// Writes what was gathered.
    pub(super) fn flush(&self) {
        self.lock().flush(&self.socket);
    }
}

impl State {
    /// Adds a word to what is gathered, or writes it when it is too long for that.
    fn gather(&mut self, socket: &OwnedFd, word: &FromChild) {
        self.start = None;
        word.put(&mut self.outbox);
        if self.gathered.len() + self.outbox.len() > journal::ROOM {
            self.flush(socket);
        }
        if self.outbox.len() > journal::ROOM {
            return self.write_through(socket);
        }
        let gathered = &mut self.gathered;
        self.outbox.write_with(|pieces| {
            pieces.iter().for_each(|piece| gathered.extend_from_slice(piece));
        });
        self.outbox.advance(self.outbox.len());
    }

    fn write_through(&mut self, socket: &OwnedFd) {
        // What is gathered next comes after it, so that the journal's page begins elsewhere.
        self.known = None;
        while !self.outbox.is_empty() {
            let Ok(sent) = self.outbox.write_with(|pieces| sys::send(socket, pieces, true)) else {
                // The pool is gone, and who reads the socket will see it.
                return self.outbox = Outbox::default();
            };
            self.outbox.advance(sent);
            self.sent += sent as u64;
        }
    }

    fn flush(&mut self, socket: &OwnedFd) {
        self.start = None;
        let mut rest = self.gathered.as_slice();
        while !rest.is_empty() {
            let Ok(sent) = sys::send(socket, &[io::IoSlice::new(rest)], true) else { break };
            self.sent += sent as u64;
            rest = &rest[sent..];
        }
        if !self.gathered.is_empty() {
            self.gathered.clear();
            self.known = None;
        }
    }

    /// Puts what is gathered into the journal.
    fn keep(&mut self) {
        let offset = journal::entry(&mut self.page, self.sent, &self.gathered, self.known);
        match self.journal.write_all_at(&self.page, offset) {
            Ok(()) => self.known = Some(self.gathered.len()),
            // Then a crash takes the results that were gathered with it.
            Err(_) => self.known = None,
        }
    }
}
