//! A row of the speed table, before it is measured.

use std::rc::Rc;

use serde::Serialize;

/// The label of our side.
pub(crate) const OUTWORK: &str = "outwork";

/// One claim of the speed table: ours beside a peer, and how they should compare.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// What a sample counts, such as `ns/task`.
    pub(crate) unit: &'static str,
    /// None where nothing is claimed.
    pub(crate) goal: Option<Goal>,
    pub(crate) ours: Side,
    /// None where the goal is a bound on our own value.
    pub(crate) peer: Option<Side>,
}

impl Row {
    /// The peer on both sides, which shows how far a ratio strays from 1 by chance; `None` without a peer.
    pub(crate) fn against_itself(self) -> Option<Self> {
        let peer = self.peer?;
        Some(Self { goal: None, ours: peer.clone(), peer: Some(peer), ..self })
    }
}

/// One measured side of a row.
#[derive(Clone)]
pub(crate) struct Side {
    pub(crate) label: &'static str,
    /// Takes one sample: sets up outside the clock, measures, and tears down, so that nothing of this side runs while the other is measured.
    pub(crate) measure: Rc<dyn Fn() -> anyhow::Result<f64>>,
    /// What has to be known beside the figure, such as what this side does not promise.
    pub(crate) note: Option<&'static str>,
}

impl Side {
    pub(crate) fn new(
        label: &'static str,
        measure: impl Fn() -> anyhow::Result<f64> + 'static,
    ) -> Self {
        Self { label, measure: Rc::new(measure), note: None }
    }

    pub(crate) fn note(self, note: &'static str) -> Self {
        Self { note: Some(note), ..self }
    }
}

/// What a row has to reach.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Goal {
    /// Ours divided by the peer's is at most this: a time.
    RatioAtMost(f64),
    /// Ours divided by the peer's is at least this: a rate.
    RatioAtLeast(f64),
    /// Our own value stays below this.
    Below(f64),
}
