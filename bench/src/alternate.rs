//! The A/B runner: ours, peer, ours, peer, …

use serde::Serialize;

use crate::{
    output::{self, plain},
    row::{Row, Side},
};

/// What one side of a row gave.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Series {
    pub(crate) label: &'static str,
    pub(crate) samples: Vec<f64>,
    /// Why the side stopped giving samples.
    pub(crate) error: Option<String>,
    /// What has to be known beside the figure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<&'static str>,
}

impl Series {
    fn new(side: &Side) -> Self {
        Self { label: side.label, samples: Vec::new(), error: None, note: side.note }
    }

    /// Takes one sample, unless the side has failed before.
    fn sample(&mut self, side: &Side) {
        if self.error.is_some() {
            return;
        }
        match (side.measure)() {
            Ok(sample) => self.samples.push(sample),
            Err(error) => self.error = Some(format!("{error:#}")),
        }
    }
}

/// Measures both sides of `row` by turns, `runs` times each, after one discarded run of each.
///
/// A side that fails takes no further samples and leaves the other one running.
pub(crate) fn alternate(row: &Row, runs: usize) -> (Series, Option<Series>) {
    let mut sides: Vec<_> = [Some(&row.ours), row.peer.as_ref()]
        .into_iter()
        .flatten()
        .map(|side| (side, Series::new(side)))
        .collect();

    for run in 0..=runs {
        for (side, series) in &mut sides {
            series.sample(side);
            // The first run warms up files, caches and clocks.
            let taken =
                if run == 0 { series.samples.pop() } else { series.samples.last().copied() };
            if let (Some(taken), None) = (taken, &series.error) {
                output::talk(&format!(
                    "{} · {run}/{runs} · {} {} {}",
                    row.name,
                    side.label,
                    plain(taken),
                    row.unit
                ));
            }
        }
    }

    let mut series = sides.into_iter().map(|(_, series)| series);
    let ours = series.next().expect("ours is always the first side");
    (ours, series.next())
}

#[cfg(test)]
mod tests;
