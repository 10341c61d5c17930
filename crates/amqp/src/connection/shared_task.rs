//! [`SharedTask`]: a task that is also polled by those who have something for it.

use std::{
    cell::Cell,
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    ptr,
    sync::{Arc, Mutex, TryLockError},
    task::{Context, Poll, Wake, Waker},
};

use tokio::runtime::Handle;

use crate::lock::lock;

/// A task of a runtime that is also polled by those who have something for it: to wake its thread
/// for that takes longer than what it does then.
///
/// It is polled under a lock. Only its own thread waits for that, so whatever the task calls may
/// in turn have something for it.
#[derive(Clone)]
pub(crate) struct SharedTask {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    runtime: Handle,
}

struct State {
    /// `None` when it has ended, or has panicked.
    future: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// What its own thread is woken with. `None` when it was never polled there.
    waker: Option<Arc<Alarm>>,
}

/// Wakes the thread of the task, unless whoever does so will poll the task itself.
struct Alarm(Waker);

thread_local! {
    /// The alarm of the task that this thread is about to poll itself.
    static SILENT: Cell<*const Alarm> = const { Cell::new(ptr::null()) };
}

impl SharedTask {
    /// The task, and what has to run on the runtime for as long as the task does.
    pub(super) fn new(
        runtime: Handle,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let state = State { future: Some(Box::pin(future)), waker: None };
        let task = Self { shared: Arc::new(Shared { state: Mutex::new(state), runtime }) };
        let ended = Ended(Arc::clone(&task.shared));
        let run = async move {
            poll_fn(|cx| lock(&ended.0.state).poll_at_home(cx)).await;
            drop(ended);
        };
        (task, run)
    }

    /// Calls what gives the task something to do, and then sees to it that the task does it: here
    /// and now, or on its own thread if it is being polled already.
    pub(crate) fn feed<T>(&self, give: impl FnOnce() -> T) -> T {
        let mut state = match self.shared.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(state)) => state.into_inner(),
            Err(TryLockError::WouldBlock) => return give(),
        };
        let Some(alarm) = state.waker.clone() else { return give() };
        let given = alarm.silenced(give);
        let _runtime = self.shared.runtime.enter();
        if state.poll(&alarm).is_ready() {
            alarm.0.wake_by_ref();
        }
        given
    }
}

impl State {
    fn poll_at_home(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let alarm = match self.waker.take() {
            Some(alarm) if alarm.0.will_wake(cx.waker()) => alarm,
            _ => Arc::new(Alarm(cx.waker().clone())),
        };
        self.waker = Some(Arc::clone(&alarm));
        self.poll(&alarm)
    }

    fn poll(&mut self, alarm: &Arc<Alarm>) -> Poll<()> {
        // It is dropped if it panics.
        let Some(mut future) = self.future.take() else { return Poll::Ready(()) };
        let waker = Waker::from(Arc::clone(alarm));
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        if polled.is_pending() {
            self.future = Some(future);
        }
        polled
    }
}

impl Alarm {
    /// Calls something that raises this alarm, which nobody hears.
    fn silenced<T>(self: &Arc<Self>, call: impl FnOnce() -> T) -> T {
        struct Heard;
        impl Drop for Heard {
            fn drop(&mut self) {
                SILENT.set(ptr::null());
            }
        }
        SILENT.set(Arc::as_ptr(self));
        let _heard = Heard;
        call()
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if SILENT.get() != Arc::as_ptr(self) {
            self.0.wake_by_ref();
        }
    }
}

/// Dropped with the runtime's side of a task: what is left of the task ends with it.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        let future = lock(&self.0.state).future.take();
        drop(future);
    }
}

impl fmt::Debug for SharedTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedTask").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        sync::mpsc::{self, Receiver, RecvTimeoutError},
        thread::{self, ThreadId},
        time::{Duration, Instant},
    };

    use async_channel::Sender;
    use tokio::time::sleep;

    use super::{super::Runtime, *};

    const PATIENCE: Duration = Duration::from_secs(20);

    /// What was taken, and by which thread.
    type Taken = (u32, ThreadId);

    /// What it panics at.
    const PANICS: u32 = 1_000_000;

    /// A task that takes what it is given, and rests after what is odd.
    fn taker(runtime: &Runtime) -> (SharedTask, Sender<u32>, Receiver<Taken>) {
        let (give, given) = async_channel::unbounded();
        let (tell, taken) = mpsc::channel();
        let task = runtime.spawn_shared(async move {
            while let Ok(number) = given.recv().await {
                assert_ne!(number, PANICS);
                tell.send((number, thread::current().id())).unwrap();
                if number % 2 == 1 {
                    sleep(Duration::from_millis(1)).await;
                }
            }
        });
        (task, give, taken)
    }

    fn next(taken: &Receiver<Taken>) -> Taken {
        taken.recv_timeout(PATIENCE).unwrap()
    }

    /// Waits until the task was polled, and nobody polls it.
    fn until_at_rest(task: &SharedTask) {
        while !task.shared.state.try_lock().is_ok_and(|state| state.waker.is_some()) {
            thread::yield_now();
        }
    }

    #[test]
    fn what_it_is_given_is_taken_by_the_thread_that_gives_it() {
        let runtime = Runtime::start("t").unwrap();
        let (task, give, taken) = taker(&runtime);
        give.try_send(0).unwrap();
        assert_ne!(next(&taken).1, thread::current().id());
        until_at_rest(&task);
        task.feed(|| give.try_send(1)).unwrap();
        assert_eq!(taken.try_recv().unwrap(), (1, thread::current().id()));
    }

    #[test]
    fn it_goes_on_by_itself_whoever_polled_it() {
        let runtime = Runtime::start("t").unwrap();
        let (task, give, taken) = taker(&runtime);
        for number in (0..12).step_by(2) {
            until_at_rest(&task);
            task.feed(|| give.try_send(number)).unwrap();
            assert_eq!(next(&taken).0, number);
            until_at_rest(&task);
            give.try_send(number + 1).unwrap();
            assert_eq!(next(&taken).0, number + 1);
        }
    }

    #[test]
    fn nothing_is_lost_when_many_give_at_once() {
        const EACH: u32 = 100;
        let runtime = Runtime::start("t").unwrap();
        let (task, give, taken) = taker(&runtime);
        thread::scope(|scope| {
            for giver in 0..4 {
                let (task, give) = (&task, &give);
                scope.spawn(move || {
                    for number in giver * EACH..(giver + 1) * EACH {
                        match number % 3 {
                            0 => give.try_send(number).unwrap(),
                            _ => task.feed(|| give.try_send(number)).unwrap(),
                        }
                    }
                });
            }
            let mut numbers: Vec<_> = (0..4 * EACH).map(|_| next(&taken).0).collect();
            numbers.sort_unstable();
            assert!(numbers.into_iter().eq(0..4 * EACH));
        });
    }

    #[test]
    fn it_ends_for_whoever_polls_it_last_and_is_dropped_there() {
        let runtime = Runtime::start("t").unwrap();
        let (task, give, taken) = taker(&runtime);
        give.try_send(0).unwrap();
        next(&taken);
        until_at_rest(&task);
        task.feed(|| give.close());
        assert_eq!(taken.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected));
        assert!(task.feed(|| give.try_send(1)).is_err());
        let begun = Instant::now();
        while Arc::strong_count(&task.shared) > 1 {
            assert!(begun.elapsed() < PATIENCE, "its own thread does not know");
            thread::yield_now();
        }
    }

    #[test]
    fn it_ends_when_it_panics_at_what_it_is_given() {
        let runtime = Runtime::start("t").unwrap();
        let (task, give, taken) = taker(&runtime);
        give.try_send(0).unwrap();
        next(&taken);
        until_at_rest(&task);
        let fed = AssertUnwindSafe(|| task.feed(|| give.try_send(PANICS)));
        assert!(catch_unwind(fed).is_err());
        assert_eq!(taken.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected));
        assert!(task.feed(|| give.try_send(1)).is_err());
    }

    #[test]
    fn it_goes_with_its_runtime() {
        let (dropped, gone) = mpsc::channel::<()>();
        let (task, run) = {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            SharedTask::new(runtime.handle().clone(), async move {
                std::future::pending::<()>().await;
                drop(dropped);
            })
        };
        drop(run);
        assert_eq!(gone.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected));
        task.feed(|| ());
    }
}
