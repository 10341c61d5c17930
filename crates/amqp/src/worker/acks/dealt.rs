//! [`Dealt`]: which messages of a channel are dealt with.

use std::collections::BTreeSet;

/// Which messages of a channel are dealt with: all up to one, and some beyond it.
///
/// An acknowledgement of all up to a message has to name one that is not acknowledged itself:
/// for any other the broker closes the channel.
#[derive(Debug, Default)]
pub(super) struct Dealt {
    /// All up to this one are.
    all_up_to: u64,
    beyond: BTreeSet<u64>,
}

/// One acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ack {
    pub(super) tag: u64,
    /// Of all messages up to this one.
    pub(super) all_up_to_it: bool,
}

impl Dealt {
    /// Notes a message that was given back.
    pub(super) fn put_back(&mut self, tag: u64) {
        self.beyond.insert(tag);
        self.advance();
    }

    /// Notes messages that are to be acknowledged, and says how: where only they are missing
    /// from a run, one acknowledgement is enough.
    pub(super) fn acknowledge(&mut self, tags: impl Iterator<Item = u64>) -> Vec<Ack> {
        let mut tags: Vec<_> = tags.collect();
        tags.sort_unstable();
        self.beyond.extend(&tags);
        self.advance();
        let in_run = tags.partition_point(|tag| *tag <= self.all_up_to);
        let (run, single) = tags.split_at(in_run);
        let last = run.last().map(|tag| Ack { tag: *tag, all_up_to_it: run.len() > 1 });
        let single = single.iter().map(|tag| Ack { tag: *tag, all_up_to_it: false });
        last.into_iter().chain(single).collect()
    }

    fn advance(&mut self) {
        while self.beyond.first() == Some(&(self.all_up_to + 1)) {
            self.all_up_to += 1;
            self.beyond.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A broker's side of a channel: it closes the channel for what a real one does.
    struct Broker {
        unacknowledged: BTreeSet<u64>,
    }

    impl Broker {
        fn acknowledge(&mut self, ack: Ack) -> Vec<u64> {
            assert!(self.unacknowledged.contains(&ack.tag), "unknown delivery tag {}", ack.tag);
            let rest = self.unacknowledged.split_off(&(ack.tag + 1));
            let mut up_to = std::mem::replace(&mut self.unacknowledged, rest);
            if !ack.all_up_to_it {
                up_to.remove(&ack.tag);
                self.unacknowledged.append(&mut up_to);
                return vec![ack.tag];
            }
            up_to.into_iter().collect()
        }
    }

    #[test]
    fn whatever_the_order_each_is_acknowledged_once_and_nothing_else() {
        for seed in 0..500 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut broker = Broker { unacknowledged: (1..=60).collect() };
            let mut dealt = Dealt::default();
            let mut order: Vec<u64> = (1..=60).collect();
            // Runs in order as well as shuffles.
            if random.bool() {
                random.shuffle(&mut order);
            }
            let mut rest = order.as_slice();
            while !rest.is_empty() {
                let (batch, left) = rest.split_at(random.usize(1..=rest.len().min(9)));
                rest = left;
                let (back, due): (Vec<u64>, Vec<u64>) =
                    batch.iter().partition(|_| random.u8(..8) == 0);
                for tag in back {
                    assert!(broker.unacknowledged.remove(&tag), "{tag} was acknowledged away");
                    dealt.put_back(tag);
                }
                let acks = dealt.acknowledge(due.iter().copied());
                let mut told: Vec<_> =
                    acks.into_iter().flat_map(|ack| broker.acknowledge(ack)).collect();
                told.sort_unstable();
                let mut due = due;
                due.sort_unstable();
                assert_eq!(told, due, "seed {seed}");
            }
            assert!(broker.unacknowledged.is_empty());
        }
    }

    #[test]
    fn a_run_takes_one_acknowledgement() {
        let mut dealt = Dealt::default();
        let one = |tag| Ack { tag, all_up_to_it: false };
        let all = |tag| Ack { tag, all_up_to_it: true };
        assert_eq!(dealt.acknowledge([3, 1, 2].into_iter()), [all(3)]);
        assert_eq!(dealt.acknowledge([6, 7].into_iter()), [one(6), one(7)]);
        // 7 is acknowledged, so that 5 has to be named.
        assert_eq!(dealt.acknowledge([5, 4].into_iter()), [all(5)]);
        assert_eq!(dealt.acknowledge([8].into_iter()), [one(8)]);
    }
}
