//! Drives a future on a plain thread.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

/// Polls `future` on this thread, which parks while there is nothing to do.
///
/// The event-loop rows use this and not a tokio runtime, because a runtime would belong to one side only: its cooperative budget makes a tokio `JoinHandle` yield after 128 ready results, and handles that are not tokio's never pay that.
/// That costs the peer next to nothing: 1.18 µs per task here against 1.14 µs on a current-thread runtime, medians of 18 alternating runs that spread by 20 %.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        thread::park();
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}
