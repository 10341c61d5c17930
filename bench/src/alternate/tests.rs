use std::{cell::RefCell, rc::Rc};

use anyhow::bail;

use super::*;
use crate::row::Goal;

fn row(ours: Side, peer: Option<Side>) -> Row {
    Row { name: "row", unit: "ns", goal: Some(Goal::RatioAtMost(1.0)), ours, peer }
}

/// A side that writes its label into `log` and counts its own samples up from 1.
fn counting(label: &'static str, log: &Rc<RefCell<Vec<&'static str>>>) -> Side {
    let log = Rc::clone(log);
    Side::new(label, move || {
        log.borrow_mut().push(label);
        Ok(log.borrow().iter().filter(|logged| **logged == label).count() as f64)
    })
}

#[test]
fn sides_take_turns_and_the_first_run_is_discarded() {
    let log = Rc::default();
    let row = row(counting("a", &log), Some(counting("b", &log)));

    let (ours, peer) = alternate(&row, 2);

    assert_eq!(*log.borrow(), ["a", "b", "a", "b", "a", "b"]);
    assert_eq!(ours.samples, [2.0, 3.0]);
    assert_eq!(peer.unwrap().samples, [2.0, 3.0]);
}

#[test]
fn a_failing_side_stops_and_leaves_the_other_running() {
    let log = Rc::default();
    let row = row(Side::new("ours", || bail!("not here")), Some(counting("peer", &log)));

    let (ours, peer) = alternate(&row, 3);

    assert_eq!(ours.error.as_deref(), Some("not here"));
    assert!(ours.samples.is_empty());
    assert_eq!(peer.unwrap().samples.len(), 3);
}

#[test]
fn a_row_without_a_peer_measures_ours_alone() {
    let (ours, peer) = alternate(&row(Side::new("ours", || Ok(7.0)), None), 2);

    assert_eq!(ours.samples, [7.0, 7.0]);
    assert_eq!(peer, None);
}
