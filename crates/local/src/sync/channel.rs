//! What the queue uses of `crossbeam-channel`, made of the model checker's locks.
//!
//! It promises no more than the original: a message wakes one of those who wait, which may find
//! that somebody else was faster, and one who waits for two channels is woken by one of them.
//! A wait that may end by time ends at any time.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use shuttle::{
    sync::{Condvar, Mutex, MutexGuard},
    thread,
};

/// A channel without bounds.
pub(crate) fn unbounded<M>() -> (Sender<M>, Receiver<M>) {
    let shared = Arc::new(Mutex::new(Shared { messages: VecDeque::new(), waits: VecDeque::new() }));
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

#[derive(Debug)]
pub(crate) struct Sender<M>(Arc<Mutex<Shared<M>>>);

#[derive(Debug)]
pub(crate) struct Receiver<M>(Arc<Mutex<Shared<M>>>);

#[derive(Debug)]
struct Shared<M> {
    messages: VecDeque<M>,
    waits: VecDeque<Arc<Wait>>,
}

/// There is no message, or none in time.
#[derive(Debug)]
pub(crate) struct NoMessage;

/// When a wait ends without a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeUp {
    Never,
    AnyTime,
}

pub(crate) fn never() -> TimeUp {
    TimeUp::Never
}

pub(crate) fn after(_time: Duration) -> TimeUp {
    TimeUp::AnyTime
}

/// One wait of one thread, for one channel or for two.
#[derive(Debug, Default)]
struct Wait {
    over: Mutex<bool>,
    woken: Condvar,
}

impl Wait {
    /// Ends the wait; `false` when something else did.
    fn end(&self) -> bool {
        let mut over = lock(&self.over);
        let first = !std::mem::replace(&mut *over, true);
        self.woken.notify_one();
        first
    }

    fn sleep(&self, time_up: TimeUp) {
        if time_up == TimeUp::AnyTime {
            thread::yield_now();
            self.end();
        }
        let mut over = lock(&self.over);
        while !*over {
            over = self.woken.wait(over).expect("no thread panics under this lock");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no thread panics under this lock")
}

impl<M> Sender<M> {
    pub(crate) fn send(&self, message: M) -> Result<(), NoMessage> {
        let mut shared = lock(&self.0);
        shared.messages.push_back(message);
        drop(shared);
        self.wake_one();
        Ok(())
    }

    /// Wakes the first whose wait nothing else has ended.
    fn wake_one(&self) {
        loop {
            let wait = lock(&self.0).waits.pop_front();
            if wait.is_none_or(|wait| wait.end()) {
                return;
            }
        }
    }
}

impl<M> Receiver<M> {
    pub(crate) fn len(&self) -> usize {
        lock(&self.0).messages.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn try_recv(&self) -> Result<M, NoMessage> {
        lock(&self.0).messages.pop_front().ok_or(NoMessage)
    }

    pub(crate) fn recv(&self) -> Result<M, NoMessage> {
        self.recv_or(TimeUp::Never)
    }

    pub(crate) fn recv_timeout(&self, time: Duration) -> Result<M, NoMessage> {
        self.recv_or(after(time))
    }

    fn recv_or(&self, time_up: TimeUp) -> Result<M, NoMessage> {
        let selected = select_either(self, &unbounded::<()>().1, time_up);
        match selected {
            Selected::First(message) => message,
            Selected::Second(_) | Selected::TimeUp => Err(NoMessage),
        }
    }

    fn enlist(&self, wait: &Arc<Wait>) {
        lock(&self.0).waits.push_back(Arc::clone(wait));
    }

    fn delist(&self, wait: &Arc<Wait>) {
        lock(&self.0).waits.retain(|other| !Arc::ptr_eq(other, wait));
    }
}

/// What a wait for two channels ended with.
pub(crate) enum Selected<A, B> {
    First(Result<A, NoMessage>),
    Second(Result<B, NoMessage>),
    TimeUp,
}

/// Waits for a message of either channel, the first one's if both have some.
pub(crate) fn select_either<A, B>(
    first: &Receiver<A>,
    second: &Receiver<B>,
    time_up: TimeUp,
) -> Selected<A, B> {
    let mut waited = false;
    loop {
        if let Ok(message) = first.try_recv() {
            return Selected::First(Ok(message));
        }
        if let Ok(message) = second.try_recv() {
            return Selected::Second(Ok(message));
        }
        if waited && time_up == TimeUp::AnyTime {
            return Selected::TimeUp;
        }
        let wait = Arc::new(Wait::default());
        first.enlist(&wait);
        second.enlist(&wait);
        // What came before it was in the lists has woken nobody.
        if first.is_empty() && second.is_empty() {
            wait.sleep(time_up);
            waited = true;
        } else {
            wait.end();
        }
        first.delist(&wait);
        second.delist(&wait);
    }
}

/// The one form of the original that is used here.
macro_rules! select_biased {
    (
        recv($first:expr) -> $one:pat => $on_first:block
        recv($second:expr) -> $other:pat => $on_second:expr,
        recv($time_up:expr) -> $none:pat => $on_time_up:expr $(,)?
    ) => {
        match $crate::sync::channel::select_either(&$first, &$second, $time_up) {
            $crate::sync::channel::Selected::First($one) => $on_first,
            $crate::sync::channel::Selected::Second($other) => $on_second,
            $crate::sync::channel::Selected::TimeUp => {
                let $none = ();
                $on_time_up
            }
        }
    };
}
pub(crate) use select_biased;
