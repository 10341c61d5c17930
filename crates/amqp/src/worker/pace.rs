//! [`Pace`]: how many messages to have in hand.

use std::{sync::Mutex, time::Duration};

use tokio::sync::watch;

use crate::{lock::lock, mean::Mean};

/// How many messages to have in hand: as many as can run, more while they run so shortly that
/// the way to the broker would cost more than they do, and one more for each that only waits
/// for its time.
#[derive(Debug)]
pub(super) struct Pace {
    concurrency: usize,
    fixed: Option<u16>,
    state: Mutex<State>,
    wanted: watch::Sender<u16>,
}

#[derive(Debug, Default)]
struct State {
    waiting: usize,
    /// How long a task runs.
    run_time: Mean,
    /// How many tasks a message has, of late and rounded up.
    tasks: usize,
}

/// Beyond this the throughput does not grow.
const MOST: usize = 256;

/// How many tasks are fetched ahead when a message has several.
const TASKS: usize = 4096;

/// How long a place stays empty, in seconds, from the end of a task until the next one is there
/// that was not fetched ahead: its result is confirmed in between. Measured with 201 programs of
/// 50 ms, which took 11.2 s without one more in hand for each place, and 6.4 s with it.
const SETTLING: f64 = 0.05;

/// Below this share of a task's run time it is not worth keeping the next one from others.
const WORTH_IT: f64 = 0.1;

impl Pace {
    pub(super) fn new(concurrency: usize, fixed: Option<u16>) -> Self {
        let pace =
            Self { concurrency, fixed, state: Mutex::default(), wanted: watch::Sender::new(1) };
        pace.update(&State::default());
        pace
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u16> {
        self.wanted.subscribe()
    }

    pub(super) fn set_waiting(&self, waiting: usize) {
        let mut state = lock(&self.state);
        state.waiting = waiting;
        self.update(&state);
    }

    pub(super) fn note_run(&self, time: Duration) {
        let mut state = lock(&self.state);
        state.run_time.note(time);
        self.update(&state);
    }

    /// Notes how many tasks a message had. It falls slowly, as those in hand are to be few.
    pub(super) fn note_message(&self, tasks: usize) {
        let mut state = lock(&self.state);
        state.tasks = tasks.max(state.tasks - state.tasks.div_ceil(16));
        self.update(&state);
    }

    /// Consuming again costs a round trip, so that small steps are not taken.
    fn update(&self, state: &State) {
        let wanted = self.wanted(state);
        self.wanted.send_if_modified(|before| {
            let far = wanted > *before || usize::from(wanted) * 4 < usize::from(*before);
            far && {
                *before = wanted;
                true
            }
        });
    }

    fn wanted(&self, state: &State) -> u16 {
        let waiting = match state.waiting {
            0 => 0,
            waiting => waiting.next_power_of_two(),
        };
        let running = match self.fixed {
            Some(fixed) => usize::from(fixed),
            None => self.concurrency + self.ahead(state),
        };
        u16::try_from(running + waiting.min(MOST)).unwrap_or(u16::MAX)
    }
}

impl Pace {
    /// How many messages to have in hand beyond those that run, in steps.
    fn ahead(&self, state: &State) -> usize {
        let Some(run_time) = state.run_time.seconds() else { return 0 };
        let tasks = state.tasks.max(1);
        #[expect(clippy::cast_precision_loss, reason = "they are few")]
        let (in_a_message, places) = (tasks as f64, self.concurrency as f64);
        let idle = SETTLING / (run_time * in_a_message).max(1e-9);
        if idle < WORTH_IT {
            return 0;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is positive, and what is too much becomes the most that there is"
        )]
        let ahead = (places * idle).round().max(1.0) as usize;
        ahead.min(MOST.min(TASKS / tasks)).next_power_of_two()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_tasks_are_fetched_ahead_and_long_ones_are_not() {
        let pace = Pace::new(4, None);
        let wanted = pace.subscribe();
        assert_eq!(*wanted.borrow(), 4);
        pace.note_run(Duration::from_micros(1));
        assert_eq!(*wanted.borrow(), 4 + 256);
        (0..100).for_each(|_| pace.note_run(Duration::from_millis(50)));
        assert_eq!(*wanted.borrow(), 4 + 4, "one more for each that runs");
        (0..100).for_each(|_| pace.note_run(Duration::from_secs(1)));
        assert_eq!(*wanted.borrow(), 4 + 4, "small steps are not taken");
        (0..3).for_each(|_| pace.note_run(Duration::from_micros(1)));
        (0..200).for_each(|_| pace.note_run(Duration::from_secs(1)));
        assert_eq!(Pace::new(4, None).wanted(&lock(&pace.state)), 4);
    }

    #[test]
    fn messages_with_many_tasks_are_few() {
        let pace = Pace::new(4, None);
        let wanted = pace.subscribe();
        pace.note_run(Duration::from_micros(1));
        pace.note_message(256);
        assert_eq!(*wanted.borrow(), 4 + 16);
        (0..200).for_each(|_| pace.note_message(1));
        assert_eq!(*wanted.borrow(), 4 + 256);
    }

    #[test]
    fn what_waits_takes_no_place() {
        let pace = Pace::new(1, Some(1));
        let wanted = pace.subscribe();
        pace.set_waiting(1);
        assert_eq!(*wanted.borrow(), 2);
        pace.set_waiting(3);
        assert_eq!(*wanted.borrow(), 5);
    }
}
