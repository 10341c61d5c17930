//! [`Pace`]: how many messages to have in hand.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

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
    /// The most tasks that a message has had of late, and when one had about as many last.
    tasks: usize,
    had: Option<Instant>,
    /// Since when far fewer would do.
    fewer_since: Option<Instant>,
}

/// Beyond this the throughput does not grow.
const MOST: usize = 256;

/// How many tasks are fetched ahead when a message has several.
const TASKS: usize = 4096;

/// For how long messages with one task each do not tell that those with many have ended: tasks
/// that come back out of these are such messages.
const OF_LATE: Duration = Duration::from_secs(5);

/// How long far fewer messages have to do before fewer are fetched. A body whose thread is kept
/// from running for some milliseconds looks like many that run for long.
const LASTING: Duration = Duration::from_secs(1);

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
        pace.update(&mut State::default(), Instant::now());
        pace
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u16> {
        self.wanted.subscribe()
    }

    pub(super) fn set_waiting(&self, waiting: usize) {
        let mut state = lock(&self.state);
        state.waiting = waiting;
        self.update(&mut state, Instant::now());
    }

    pub(super) fn note_run(&self, time: Duration) {
        self.note_run_at(time, Instant::now());
    }

    fn note_run_at(&self, time: Duration, now: Instant) {
        let mut state = lock(&self.state);
        state.run_time.note(time);
        self.update(&mut state, now);
    }

    /// Notes how many tasks a message had.
    pub(super) fn note_message(&self, tasks: usize) {
        self.note_message_at(tasks, Instant::now());
    }

    fn note_message_at(&self, tasks: usize, now: Instant) {
        let mut state = lock(&self.state);
        let of_late = state.had.is_some_and(|had| now.duration_since(had) < OF_LATE);
        if tasks > state.tasks || !of_late {
            state.tasks = tasks;
        }
        if tasks > state.tasks / 2 {
            state.had = Some(now);
        }
        self.update(&mut state, now);
    }

    /// Small steps are not taken, and none down for a moment's sake: consuming again costs a
    /// round trip, and a quorum queue takes back what is on its way to the consumer that ends,
    /// to deliver it once more.
    fn update(&self, state: &mut State, now: Instant) {
        let wanted = self.wanted(state);
        self.wanted.send_if_modified(|before| {
            let far_fewer = usize::from(wanted) * 4 < usize::from(*before);
            if !far_fewer {
                state.fewer_since = None;
            }
            let mut lasts = || now.duration_since(*state.fewer_since.get_or_insert(now)) >= LASTING;
            let changed = wanted > *before || (far_fewer && lasts());
            if changed {
                *before = wanted;
            }
            changed
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
        let (wanted, begin) = (pace.subscribe(), Instant::now());
        let run = |times, time, at| (0..times).for_each(|_| pace.note_run_at(time, begin + at));
        assert_eq!(*wanted.borrow(), 4);
        run(1, Duration::from_micros(1), Duration::ZERO);
        assert_eq!(*wanted.borrow(), 4 + 256);
        run(100, Duration::from_millis(50), Duration::ZERO);
        assert_eq!(*wanted.borrow(), 4 + 256, "it may not last");
        run(1, Duration::from_millis(50), LASTING);
        assert_eq!(*wanted.borrow(), 4 + 4, "one more for each that runs");
        run(100, Duration::from_secs(1), LASTING * 3);
        assert_eq!(*wanted.borrow(), 4 + 4, "small steps are not taken");
        assert_eq!(pace.wanted(&lock(&pace.state)), 4);
    }

    #[test]
    fn a_moment_of_long_runs_changes_nothing() {
        let pace = Pace::new(4, None);
        let (wanted, begin) = (pace.subscribe(), Instant::now());
        let short = Duration::from_micros(1);
        pace.note_run_at(short, begin);
        for moment in 1..10 {
            pace.note_run_at(Duration::from_secs(1), begin + LASTING * moment);
            (0..200).for_each(|_| pace.note_run_at(short, begin + LASTING * moment));
        }
        assert_eq!(*wanted.borrow(), 4 + 256);
    }

    #[test]
    fn messages_with_many_tasks_are_few() {
        let pace = Pace::new(4, None);
        let (wanted, begin) = (pace.subscribe(), Instant::now());
        pace.note_message_at(256, begin);
        pace.note_run_at(Duration::from_micros(1), begin);
        assert_eq!(*wanted.borrow(), 4 + 16);
        (0..200).for_each(|_| pace.note_message_at(1, begin));
        assert_eq!(*wanted.borrow(), 4 + 16, "they come out of the others, or between them");
        pace.note_message_at(200, begin + OF_LATE / 2);
        pace.note_message_at(1, begin + OF_LATE);
        assert_eq!(*wanted.borrow(), 4 + 16);
        pace.note_message_at(1, begin + OF_LATE * 2);
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
