//! What a pool believes a child has, against a child that tells the truth, or does not.

use std::{collections::VecDeque, time::Duration};

use super::{
    super::{Ledger, ledger::Left},
    *,
};

const TIME: Duration = Duration::from_micros(3);

/// A child as it is: what it has in order, and whether it is at the first.
#[derive(Debug, Default)]
struct Truth {
    tasks: VecDeque<u64>,
    started: bool,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Send,
    Start,
    Finish,
    Return(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Send),
        2 => Just(Step::Start),
        2 => Just(Step::Finish),
        1 => (0..8_usize).prop_map(Step::Return),
    ]
}

proptest! {
    #[test]
    fn a_truthful_child_is_believed_and_its_loss_accounts_for_everything(
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let (mut ledger, mut truth) = (Ledger::default(), Truth::default());
        for step in steps {
            match step {
                Step::Send => {
                    let seq = ledger.send(truth.tasks.len(), 10, TIME);
                    truth.tasks.push_back(seq);
                }
                Step::Start if !truth.started && !truth.tasks.is_empty() => {
                    prop_assert!(ledger.start(truth.tasks[0]).is_ok());
                    truth.started = true;
                }
                Step::Finish if !truth.tasks.is_empty() => {
                    let seq = truth.tasks.pop_front().unwrap();
                    // A short task is only heard of at its end.
                    let unheard = ledger.finish(seq).unwrap().is_some();
                    prop_assert_eq!(unheard, !truth.started);
                    truth.started = false;
                }
                Step::Return(place) if place < truth.tasks.len() && !(place == 0 && truth.started) => {
                    let seq = truth.tasks.remove(place).unwrap();
                    prop_assert!(ledger.take_back(seq).is_ok());
                }
                Step::Start | Step::Finish | Step::Return(_) => {}
            }
            prop_assert_eq!(ledger.len(), truth.tasks.len());
            prop_assert_eq!(ledger.bytes(), truth.tasks.len() * 10);
            prop_assert_eq!(ledger.expected(), TIME * u32::try_from(truth.tasks.len()).unwrap());
            prop_assert_eq!(ledger.running(), truth.tasks.front().copied().filter(|_| truth.started));
        }
        let Left { running, unheard, unstarted } = ledger.lose(0);
        prop_assert_eq!(unheard.len(), 0);
        prop_assert_eq!(running.is_some(), truth.started);
        prop_assert_eq!(unstarted.len() + usize::from(truth.started), truth.tasks.len());
        prop_assert!(ledger.is_empty());
    }

    #[test]
    fn whatever_a_child_says_each_task_is_given_out_once(
        sent in 0..8_u64,
        words in prop::collection::vec((0..3_u8, 0..10_u64), 0..40),
        begun in 0..10_u64,
    ) {
        let mut ledger = Ledger::default();
        for task in 1..=sent {
            prop_assert_eq!(ledger.send(task, 0, TIME), task);
        }
        let mut out = Vec::new();
        for (word, seq) in words {
            match word {
                0 => out.extend(ledger.start(seq).ok()),
                1 => out.extend(ledger.finish(seq).ok().flatten()),
                _ => out.extend(ledger.take_back(seq).ok()),
            }
        }
        let Left { unheard, unstarted, .. } = ledger.lose(begun);
        prop_assert!(unheard.iter().all(|seq| *seq <= begun));
        prop_assert!(unstarted.iter().all(|seq| *seq > begun));
        out.extend(unheard.into_iter().chain(unstarted));
        out.sort_unstable();
        prop_assert_eq!(out, (1..=sent).collect::<Vec<_>>());
    }
}

#[test]
fn a_child_cannot_start_twice_skip_one_or_give_back_what_runs() {
    let mut ledger = Ledger::default();
    for name in ["a", "b", "c"] {
        ledger.send(name, 1, TIME);
    }
    assert!(ledger.start(2).is_err(), "it is not the first");
    assert_eq!(ledger.start(1), Ok("a"));
    assert!(ledger.start(1).is_err(), "it has begun");
    assert!(ledger.start(2).is_err(), "another runs");
    assert!(ledger.take_back(1).is_err(), "it has begun");
    assert!(ledger.finish(2).is_err(), "the first runs");
    assert_eq!(ledger.take_back(2), Ok("b"));
    assert!(ledger.take_back(2).is_err(), "it is back");
    assert_eq!(ledger.finish(1), Ok(None), "it was given out at its start");
    assert_eq!(ledger.finish(3), Ok(Some("c")), "its start was not heard of");
    assert!(ledger.finish(3).is_err(), "it is done");
}

#[test]
fn what_is_looked_for_is_found_unless_it_has_begun() {
    let mut ledger = Ledger::default();
    ledger.send("a", 1, TIME);
    ledger.send("b", 1, TIME);
    assert_eq!(ledger.find(|name| *name == "b"), Some(2));
    ledger.start(1).unwrap();
    assert_eq!(ledger.find(|name| *name == "a"), None);
}
