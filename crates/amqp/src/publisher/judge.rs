//! [`Judge`]: which messages came back.
//!
//! The broker returns a message before it confirms it, and the client library hangs what came
//! back on whatever confirmation it handles next, which may be another message's. What it never
//! does is to handle a confirmation with nothing hung on it while a returned message waits.
//! So when a confirmation comes bare, everything that was returned up to then hangs on
//! confirmations that were handled before, and can be seen by now.

use std::collections::HashSet;

/// What a message is known by when it comes back.
pub(super) trait Mark {
    fn mark(&self) -> String;
}

/// Tells which confirmed messages came back, by their marks.
#[derive(Debug)]
pub(super) struct Judge<T> {
    returned: HashSet<String>,
    /// Confirmed bare, since the last verdict.
    bare: Vec<T>,
    /// Confirmed with another's return hung on: its own may still come.
    unsure: Vec<T>,
    /// How many of these were there at the last verdict, and so before the bare ones.
    old: usize,
}

/// One message and whether it came back.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict<T> {
    pub(super) message: T,
    pub(super) returned: bool,
}

impl<T> Default for Judge<T> {
    fn default() -> Self {
        Self { returned: HashSet::new(), bare: Vec::new(), unsure: Vec::new(), old: 0 }
    }
}

impl<T: Mark> Judge<T> {
    /// Notes a confirmation, and the mark of what hung on it.
    pub(super) fn confirmed(&mut self, message: T, hung_on: Option<String>) {
        match hung_on {
            None => self.bare.push(message),
            Some(other) => {
                self.returned.insert(other);
                self.unsure.push(message);
            }
        }
    }

    /// Judges what can be judged, now that every confirmation was seen that was handled before
    /// the ones noted; with nothing more on its way, that is everything.
    pub(super) fn verdicts(&mut self, nothing_on_its_way: bool) -> Vec<Verdict<T>> {
        let sure = match (nothing_on_its_way, self.bare.is_empty()) {
            (true, _) => self.unsure.len(),
            (false, false) => self.old,
            (false, true) => 0,
        };
        let judged = self.unsure.drain(..sure).chain(self.bare.drain(..));
        let returned = &mut self.returned;
        let verdicts = judged.map(|message| {
            // Hardly ever does anything come back, and then no mark is made.
            let returned = !returned.is_empty() && returned.remove(&message.mark());
            Verdict { message, returned }
        });
        let verdicts = verdicts.collect();
        self.old = self.unsure.len();
        verdicts
    }

    /// Gives up what was not judged when the connection is lost.
    pub(super) fn abandon(&mut self) -> impl Iterator<Item = T> {
        self.old = 0;
        self.returned.clear();
        std::mem::take(&mut self.unsure).into_iter().chain(std::mem::take(&mut self.bare))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Mark for u32 {
        fn mark(&self) -> String {
            self.to_string()
        }
    }

    fn verdicts(judge: &mut Judge<u32>, nothing_left: bool) -> Vec<(u32, bool)> {
        let verdicts = judge.verdicts(nothing_left);
        verdicts.into_iter().map(|verdict| (verdict.message, verdict.returned)).collect()
    }

    #[test]
    fn what_comes_back_is_found_whatever_it_hangs_on() {
        let mut judge = Judge::default();
        // 2 came back, and hangs on the confirmation of 1, which is in order.
        judge.confirmed(1, Some(2.mark()));
        assert_eq!(verdicts(&mut judge, false), []);
        judge.confirmed(2, None);
        assert_eq!(verdicts(&mut judge, false), [(1, false), (2, true)]);
    }

    #[test]
    fn two_that_carry_each_other_wait_for_a_later_bare_one_or_the_last() {
        for nothing_left in [false, true] {
            let mut judge = Judge::default();
            judge.confirmed(1, Some(2.mark()));
            assert_eq!(verdicts(&mut judge, false), []);
            judge.confirmed(2, Some(1.mark()));
            if !nothing_left {
                assert_eq!(verdicts(&mut judge, false), []);
                judge.confirmed(3, None);
            }
            let found = verdicts(&mut judge, nothing_left);
            assert_eq!(found[..2], [(1, true), (2, true)]);
        }
    }

    #[test]
    fn one_that_is_seen_together_with_a_bare_one_may_have_been_handled_after_it() {
        let mut judge = Judge::default();
        judge.confirmed(1, Some(2.mark()));
        judge.confirmed(3, None);
        assert_eq!(verdicts(&mut judge, false), [(3, false)]);
        judge.confirmed(2, Some(1.mark()));
        assert_eq!(verdicts(&mut judge, true), [(1, true), (2, true)]);
    }
}
