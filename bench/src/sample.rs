//! Statistics over samples.

/// The middle sample, or the mean of the two middle ones; `None` without samples.
pub(crate) fn median(samples: &[f64]) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// The smallest sample that is not below this share of all, such as 0.99; `None` without samples.
pub(crate) fn quantile(samples: &[f64], share: f64) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(place.saturating_sub(1)).copied()
}

/// Ours divided by the peer's, run by run, so that what slows a whole pair (a neighbour, a cooler clock) cancels out.
pub(crate) fn pairwise_ratios(ours: &[f64], peer: &[f64]) -> Vec<f64> {
    ours.iter().zip(peer).map(|(ours, peer)| ours / peer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_whatever_the_order() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[9.0, 1.0]), Some(5.0));
        assert_eq!(median(&[100.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 100.0, 1.0, 2.0]), Some(3.0));
    }

    #[test]
    fn a_quantile_is_the_sample_that_the_share_is_not_above() {
        let hundred: Vec<_> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(quantile(&hundred, 0.99), Some(99.0));
        assert_eq!(quantile(&hundred, 1.0), Some(100.0));
        assert_eq!(quantile(&[5.0], 0.99), Some(5.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn ratios_pair_runs_and_drop_an_unpaired_one() {
        assert_eq!(pairwise_ratios(&[1.0, 4.0, 7.0], &[2.0, 2.0]), [0.5, 2.0]);
        assert_eq!(pairwise_ratios(&[1.0], &[]), [] as [f64; 0]);
    }
}
