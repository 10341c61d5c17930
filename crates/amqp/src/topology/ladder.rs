//! The ladder of delays: any number of seconds as a sum of powers of two.
//!
//! Each rung is a topic exchange and a queue whose messages move on after `2^n` seconds.
//! The routing key has one word for each rung, `1` where the message has to wait, and then the
//! queue that it is for. All messages of a rung wait equally long, so none stands in the way of
//! another; mixed times in one queue would, because a broker looks only at the head.

use std::time::Duration;

use lapin::types::ShortString;

use super::{Prefix, QueueName};

/// How many rungs there are.
pub(crate) const LEVELS: usize = 20;

/// The longest delay, above which a tombstone might be forgotten before its task is due.
pub(crate) const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// Where a message steps onto the ladder.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rung {
    /// The rung on which it waits first.
    level: usize,
    /// The routing key for all of its way.
    key: String,
}

impl Rung {
    /// The way of a message that is to wait so long, in whole seconds; `None` when that is less
    /// than one, and the worker waits for it.
    fn of(delay: Duration, queue: &QueueName) -> Option<Self> {
        let seconds = delay.as_secs().min((1 << LEVELS) - 1);
        let level = seconds.checked_ilog2()? as usize;
        let mut key = String::with_capacity(2 * LEVELS + queue.as_str().len());
        for bit in (0..LEVELS).rev() {
            key.push(if seconds >> bit & 1 == 1 { '1' } else { '0' });
            key.push('.');
        }
        key.push_str(queue.as_str());
        Some(Self { level, key })
    }
}

impl Prefix {
    /// The exchange and the key of a message that is to come to a queue after this time, by way
    /// of the ladder when that is a second or more.
    pub(crate) fn way(&self, queue: &QueueName, delay: Duration) -> (ShortString, ShortString) {
        let (exchange, key) = match Rung::of(delay, queue) {
            Some(rung) => (self.delay(rung.level), rung.key),
            None => (self.task_exchange(), queue.as_str().to_owned()),
        };
        (exchange, ShortString::try_new(key).unwrap_or_default())
    }
}

/// The pattern of the keys whose messages wait on this rung, or pass it by.
pub(crate) fn pattern(level: usize, waits: bool) -> String {
    let mut pattern = "*.".repeat(LEVELS - 1 - level);
    pattern.push(if waits { '1' } else { '0' });
    pattern.push_str(".#");
    pattern
}

/// The pattern of the keys whose messages are for this queue: exactly as many words as there
/// are rungs, because `#.b` would match the queue `a.b` as well.
pub(crate) fn due_pattern(queue: &QueueName) -> String {
    "*.".repeat(LEVELS) + queue.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds that a message waits that follows its key down the ladder.
    fn walk(rung: &Rung) -> u64 {
        let words: Vec<_> = rung.key.split('.').collect();
        (0..=rung.level)
            .rev()
            .filter(|level| words[LEVELS - 1 - level] == "1")
            .map(|level| 1 << level)
            .sum()
    }

    #[test]
    fn every_delay_is_the_sum_of_its_rungs() {
        let queue = QueueName::new("a.b").unwrap();
        for seconds in (1..3000).chain([65_535, 65_536, 604_800, (1 << LEVELS) - 1]) {
            let rung = Rung::of(Duration::from_secs(seconds), &queue).unwrap();
            assert_eq!(walk(&rung), seconds);
            assert!(rung.key.ends_with(".a.b"));
        }
        assert_eq!(Rung::of(Duration::from_millis(999), &queue), None);
    }

    #[test]
    fn a_key_names_as_many_rungs_as_there_are() {
        let queue = QueueName::new("q").unwrap();
        let rung = Rung::of(Duration::from_secs(5), &queue).unwrap();
        assert_eq!(rung.key, "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.1.q");
        assert_eq!(pattern(19, true), "1.#");
        assert_eq!(pattern(0, false), format!("{}0.#", "*.".repeat(19)));
        assert_eq!(due_pattern(&queue), format!("{}q", "*.".repeat(20)));
    }

    #[test]
    fn the_longest_delay_fits() {
        assert!(LONGEST.as_secs() < 1 << LEVELS);
    }
}
