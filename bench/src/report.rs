//! A measured row.

use serde::Serialize;

use crate::{
    alternate::Series,
    row::{Goal, Row},
    sample::{median, pairwise_ratios},
};

/// A row with every sample and what follows from them.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) row: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) ours: Series,
    pub(crate) peer: Option<Series>,
    pub(crate) ours_median: Option<f64>,
    pub(crate) peer_median: Option<f64>,
    /// The median of the pairwise ratios, which need not be the ratio of the medians.
    pub(crate) ratio: Option<f64>,
    pub(crate) goal: Option<Goal>,
    pub(crate) verdict: Verdict,
    /// What it was measured on, where that is more than this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) on: Option<String>,
}

/// Whether the goal was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Met,
    Missed,
    /// Nothing was claimed.
    Unclaimed,
    /// A side could not be measured.
    Unknown,
}

impl Verdict {
    /// Whether a row with it leaves no claim open.
    pub(crate) fn is_kept(self) -> bool {
        matches!(self, Self::Met | Self::Unclaimed)
    }
}

impl Report {
    pub(crate) fn new(row: &Row, (ours, peer): (Series, Option<Series>)) -> Self {
        let ours_median = median(&ours.samples);
        let peer_median = peer.as_ref().and_then(|peer| median(&peer.samples));
        let ratio =
            peer.as_ref().and_then(|peer| median(&pairwise_ratios(&ours.samples, &peer.samples)));
        let failed = ours.error.is_some() || peer.as_ref().is_some_and(|peer| peer.error.is_some());
        let verdict = if failed { Verdict::Unknown } else { judge(row.goal, ours_median, ratio) };
        Self {
            row: row.name,
            unit: row.unit,
            ours,
            peer,
            ours_median,
            peer_median,
            ratio,
            goal: row.goal,
            verdict,
            on: None,
        }
    }

    /// What has to be known beside the figures, one line each.
    pub(crate) fn notes(&self) -> impl Iterator<Item = String> {
        let sides = [Some(&self.ours), self.peer.as_ref()].into_iter().flatten();
        sides.filter_map(|side| Some(format!("{}: {}", side.label, side.note?)))
    }

    /// Why a side could not be measured, one line each.
    pub(crate) fn errors(&self) -> impl Iterator<Item = String> {
        [Some(&self.ours), self.peer.as_ref()].into_iter().flatten().filter_map(|side| {
            let error = side.error.as_ref()?;
            Some(format!("{}: {}: {error}", self.row, side.label))
        })
    }
}

fn judge(goal: Option<Goal>, ours: Option<f64>, ratio: Option<f64>) -> Verdict {
    let Some(goal) = goal else { return Verdict::Unclaimed };
    let met = match goal {
        Goal::RatioAtMost(bound) => ratio.map(|ratio| ratio <= bound),
        Goal::RatioAtLeast(bound) => ratio.map(|ratio| ratio >= bound),
        Goal::Below(bound) => ours.map(|ours| ours < bound),
    };
    match met {
        Some(true) => Verdict::Met,
        Some(false) => Verdict::Missed,
        None => Verdict::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_bounds_the_ratio_or_our_own_value() {
        let check =
            |goal, ours, ratio, expected| assert_eq!(judge(Some(goal), ours, ratio), expected);

        check(Goal::RatioAtMost(1.0), Some(9.0), Some(1.0), Verdict::Met);
        check(Goal::RatioAtMost(1.0), Some(9.0), Some(1.01), Verdict::Missed);
        check(Goal::RatioAtMost(1.0), Some(9.0), None, Verdict::Unknown);
        check(Goal::RatioAtLeast(1.3), Some(9.0), Some(1.3), Verdict::Met);
        check(Goal::RatioAtLeast(1.3), Some(9.0), Some(1.2), Verdict::Missed);
        check(Goal::Below(0.1), Some(0.0), None, Verdict::Met);
        check(Goal::Below(0.1), Some(0.1), None, Verdict::Missed);
        check(Goal::Below(0.1), None, None, Verdict::Unknown);
        assert_eq!(judge(None, Some(9.0), Some(1.0)), Verdict::Unclaimed);
        assert!(Verdict::Met.is_kept() && Verdict::Unclaimed.is_kept());
        assert!(!Verdict::Missed.is_kept() && !Verdict::Unknown.is_kept());
    }
}
