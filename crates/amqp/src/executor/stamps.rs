//! [`Stamps`]: when tasks were submitted, told apart.

use std::sync::Mutex;

use foldhash::HashSet;
use outwork_core::TaskId;

use crate::{lock::lock, wire::Millis};

/// Times for submissions: a time and an id name one submission, so no id gets a time twice, also
/// when it is used again within a millisecond, or when the clock is set back.
#[derive(Debug, Default)]
pub(super) struct Stamps {
    last: Mutex<Last>,
}

/// The latest time that was given, and the ids that have it.
#[derive(Debug, Default)]
struct Last {
    at: Millis,
    ids: HashSet<TaskId>,
}

/// So many ids are remembered for a time; then the next time is begun a little early.
const MOST: usize = 4096;

impl Stamps {
    /// A time that this id has not had, and that is not before any other.
    pub(super) fn next(&self, id: TaskId, now: Millis) -> Millis {
        let mut last = lock(&self.last);
        if now > last.at {
            last.begin(now);
        }
        if last.ids.len() >= MOST || !last.ids.insert(id) {
            let next = last.at + 1;
            last.begin(next);
            last.ids.insert(id);
        }
        last.at
    }
}

impl Last {
    fn begin(&mut self, at: Millis) {
        self.at = at;
        self.ids.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_never_has_a_time_twice_and_others_share_it() {
        let stamps = Stamps::default();
        let [one, two] = [TaskId::new(), TaskId::new()];
        assert_eq!([stamps.next(one, 5), stamps.next(two, 5)], [5, 5]);
        assert_eq!([stamps.next(one, 5), stamps.next(one, 5)], [6, 7]);
        // Set back.
        assert_eq!([stamps.next(one, 1), stamps.next(two, 1)], [8, 8]);
        assert_eq!([stamps.next(one, 9), stamps.next(two, 10)], [9, 10]);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let stamps = Stamps::default();
        for _ in 0..3 * MOST {
            stamps.next(TaskId::new(), 5);
        }
        assert!(lock(&stamps.last).ids.len() <= MOST);
        assert_eq!(stamps.next(TaskId::new(), 5), 8);
    }
}
