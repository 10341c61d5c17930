//! Giving attempts to the backend, never one of a task inside the start of another.

use std::{cell::RefCell, sync::Arc};

use super::{Attempt, cell::Cell, core::Core};
use crate::sync::thread_local;

thread_local! {
    static TURN: RefCell<Option<Turn>> = const { RefCell::new(None) };
}

/// The task whose attempt this thread is giving to a backend.
struct Turn {
    task: *const Cell,
    /// The attempt that follows at once, when the first has ended already.
    next: Option<Attempt>,
}

impl Core {
    /// Gives an attempt to the backend.
    ///
    /// A backend may run the body inside its `start`, or drop the attempt there. Attempts that
    /// follow at once are put aside until that returns: a start inside a start for each of
    /// many attempts would overflow the stack.
    pub(super) fn start(&self, attempt: Attempt) {
        if attempt.is_last() {
            return self.backend().start(attempt);
        }
        let mut next = Some(attempt);
        while let Some(attempt) = next {
            let turn = InTurn::begin(Arc::as_ptr(attempt.cell()));
            self.backend().start(attempt);
            next = turn.end();
        }
    }

    /// Starts the attempt that follows one which has just ended, here or as soon as this
    /// thread has returned from the start of that one.
    pub(super) fn start_next(&self, attempt: Attempt) {
        if let Some(attempt) = put_aside(attempt) {
            self.start(attempt);
        }
    }
}

/// Puts an attempt aside, unless this thread is not in the start of the same task.
fn put_aside(attempt: Attempt) -> Option<Attempt> {
    TURN.with(|turn| match &mut *turn.borrow_mut() {
        Some(turn) if turn.task == Arc::as_ptr(attempt.cell()) => turn.next.replace(attempt),
        _ => Some(attempt),
    })
}

/// The time of a turn. At its end, also by a panic, the turn around it goes on.
struct InTurn {
    outer: Option<Turn>,
}

impl InTurn {
    fn begin(task: *const Cell) -> Self {
        Self { outer: TURN.with(|turn| turn.replace(Some(Turn { task, next: None }))) }
    }

    fn end(self) -> Option<Attempt> {
        TURN.with(|turn| turn.borrow_mut().as_mut().and_then(|turn| turn.next.take()))
    }
}

impl Drop for InTurn {
    fn drop(&mut self) {
        let over = TURN.with(|turn| turn.replace(self.outer.take()));
        drop(over);
    }
}
