//! Deadlines by a clock that the test moves.

use std::sync::mpsc;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const SOON: Duration = Duration::from_secs(10);

fn timer() -> (Clock, Timer) {
    let clock = Clock::manual();
    (clock.clone(), Timer::new(clock))
}

#[test]
fn deadlines_run_in_the_order_of_their_time() {
    let (clock, timer) = timer();
    let (send, receive) = mpsc::channel();
    for seconds in [3_u32, 1, 2] {
        let send = send.clone();
        timer.after(SECOND * seconds, move || send.send(seconds).unwrap());
    }
    clock.advance(SECOND * 3);
    let order: Vec<_> = (0..3).map(|_| receive.recv_timeout(SOON).unwrap()).collect();
    assert_eq!(order, [1, 2, 3]);
}

#[test]
fn nothing_runs_early_and_a_cancelled_deadline_never() {
    let (clock, timer) = timer();
    let (send, receive) = mpsc::channel();
    let late = send.clone();
    let cancelled = timer.after(SECOND, move || late.send("cancelled").unwrap());
    timer.after(SECOND * 2, move || send.send("due").unwrap());
    assert!(timer.cancel(cancelled));
    assert!(!timer.cancel(cancelled));
    clock.advance(SECOND);
    assert!(receive.recv_timeout(Duration::from_millis(20)).is_err());
    clock.advance(SECOND);
    assert_eq!(receive.recv_timeout(SOON), Ok("due"));
}

#[test]
fn an_earlier_deadline_wakes_the_sleeping_thread() {
    let timer = Timer::new(Clock::system());
    let (send, receive) = mpsc::channel();
    let first = send.clone();
    timer.after(SECOND * 3600, move || first.send(1).unwrap());
    timer.after(Duration::from_millis(1), move || send.send(2).unwrap());
    assert_eq!(receive.recv_timeout(SOON), Ok(2));
}

#[test]
fn a_panicking_action_does_not_stop_the_clock() {
    let timer = Timer::new(Clock::system());
    let (send, receive) = mpsc::channel();
    timer.after(Duration::ZERO, || panic!("on purpose"));
    timer.after(Duration::from_millis(1), move || send.send(()).unwrap());
    assert_eq!(receive.recv_timeout(SOON), Ok(()));
}

#[test]
fn a_deadline_beyond_all_time_is_no_panic() {
    let (_clock, timer) = timer();
    timer.after(Duration::MAX, || {});
}

/// Each wake from idle left an entry behind, and made the next one look through all of them.
#[test]
fn many_wakes_from_idle_leave_nothing_behind() {
    let timer = Timer::new(Clock::system());
    let (send, receive) = mpsc::channel();
    for _ in 0..2000 {
        let send = send.clone();
        timer.after(Duration::ZERO, move || send.send(()).unwrap());
        receive.recv_timeout(SOON).unwrap();
    }
    let state = lock(&timer.shared.state);
    assert!(state.deadlines.is_empty());
    assert!(state.sleeper.places() <= 1, "{:?}", state.sleeper);
}

/// It was due, and the thread slept on until the clock was moved again. Too rare to be hit here
/// for sure: the model of the timer finds it within a few hundred orders.
#[test]
fn a_deadline_that_is_due_already_runs_while_the_clock_stands_still() {
    for _ in 0..200 {
        let (_clock, timer) = timer();
        let (send, receive) = mpsc::channel();
        timer.after(SECOND, || {});
        timer.after(Duration::ZERO, move || send.send(()).unwrap());
        receive.recv_timeout(SOON).unwrap();
    }
}

/// It slept on for as long as the process lived, with everything that its deadlines held.
#[test]
fn the_thread_leaves_with_the_last_handle_and_what_was_to_come_is_dropped() {
    let timer = Timer::new(Clock::system());
    let (started, wait_started) = mpsc::channel();
    let (held, wait_dropped) = mpsc::channel::<()>();
    timer.after(SECOND * 3600, move || drop(held));
    timer.after(Duration::ZERO, move || started.send(()).unwrap());
    wait_started.recv_timeout(SOON).unwrap();
    let thread = Arc::downgrade(&timer.shared.0);
    drop(timer);
    assert_eq!(wait_dropped.recv_timeout(SOON), Err(mpsc::RecvTimeoutError::Disconnected));
    let until = Instant::now() + SOON;
    while thread.strong_count() > 0 {
        assert!(Instant::now() < until, "the thread is still there");
        thread::yield_now();
    }
}
