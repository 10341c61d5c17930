//! [`Pace`]: how many messages to have in hand.

use std::{sync::Mutex, time::Duration};

use tokio::sync::watch;

use crate::lock::lock;

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
    /// The mean run time of late, in seconds.
    mean: Option<f64>,
}

/// Beyond this the throughput does not grow.
const MOST: usize = 256;

/// Tasks that run for less than this are fetched ahead.
const SHORT: f64 = 0.005;

/// How much of the mean the latest run makes up.
const WEIGHT: f64 = 0.1;

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
        let time = time.as_secs_f64();
        state.mean = Some(state.mean.map_or(time, |mean| mean + WEIGHT * (time - mean)));
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
        let short = state.mean.is_some_and(|mean| mean < SHORT);
        let running = match self.fixed {
            Some(fixed) => usize::from(fixed),
            None if short => MOST.max(self.concurrency),
            None => self.concurrency,
        };
        u16::try_from(running + waiting.min(MOST)).unwrap_or(u16::MAX)
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
        pace.note_run(Duration::from_millis(1));
        assert_eq!(*wanted.borrow(), 256);
        (0..100).for_each(|_| pace.note_run(Duration::from_secs(1)));
        assert_eq!(*wanted.borrow(), 4);
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
