//! Measured rows as text for a person.

use std::{collections::BTreeSet, fmt::Write as _};

use crate::{
    output::plain,
    report::{Report, Verdict},
    row::Goal,
};

const HEAD: [&str; 8] = ["work", "unit", "ours", "peer", "ratio", "goal", "ok", "measured against"];

/// Lays the reports out as a table, followed by one line for every side that could not be measured, and by what has to be known beside the figures.
///
/// `on` is what they were measured on, and stands above.
pub(crate) fn render(reports: &[Report], on: Option<&str>) -> String {
    let lines: Vec<_> =
        std::iter::once(HEAD.map(str::to_owned)).chain(reports.iter().map(cells)).collect();
    let widths: [usize; 8] = std::array::from_fn(|column| {
        lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0)
    });

    let mut table = on.map_or_else(String::new, |on| format!("{on}\n\n"));
    for line in &lines {
        let padded: Vec<_> =
            line.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        writeln!(table, "{}", padded.join("  ").trim_end()).expect("a string takes every write");
    }
    for error in reports.iter().flat_map(Report::errors) {
        writeln!(table, "! {error}").expect("a string takes every write");
    }
    let notes: BTreeSet<_> = reports.iter().flat_map(Report::notes).collect();
    for note in notes {
        writeln!(table, "* {note}").expect("a string takes every write");
    }
    table
}

fn cells(report: &Report) -> [String; 8] {
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), plain);
    [
        report.row.to_owned(),
        report.unit.to_owned(),
        number(report.ours_median),
        number(report.peer_median),
        report.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")),
        match report.goal {
            Some(Goal::RatioAtMost(bound)) => format!("≤ {bound} ×"),
            Some(Goal::RatioAtLeast(bound)) => format!("≥ {bound} ×"),
            Some(Goal::Below(bound)) => format!("< {bound}"),
            None => "-".to_owned(),
        },
        match report.verdict {
            Verdict::Met => "yes",
            Verdict::Missed => "NO",
            Verdict::Unclaimed => "-",
            Verdict::Unknown => "?",
        }
        .to_owned(),
        report.peer.as_ref().map_or("-", |peer| peer.label).to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        alternate::Series,
        row::{Row, Side},
    };

    fn series(label: &'static str, samples: &[f64], error: Option<&str>) -> Series {
        Series { label, samples: samples.to_vec(), error: error.map(str::to_owned), note: None }
    }

    fn row(name: &'static str, goal: Goal) -> Row {
        Row {
            name,
            unit: "ns/task",
            goal: Some(goal),
            ours: Side::new("outwork", || Ok(0.0)),
            peer: None,
        }
    }

    #[test]
    fn a_table_has_aligned_columns_and_says_what_is_missing() {
        let measured = Report::new(
            &row("spawn", Goal::RatioAtMost(1.0)),
            (
                series("outwork", &[120.0, 130.0, 110.0], None),
                Some(series("rayon", &[240.0, 200.0, 220.0], None)),
            ),
        );
        let mut missing = Report::new(
            &row("exec beside parallel", Goal::RatioAtLeast(5.0)),
            (series("outwork", &[1500.0], None), Some(series("parallel", &[], Some("install it")))),
        );

        missing.ours.note = Some("is ours");

        assert_eq!(
            render(&[measured, missing], Some("on this machine")),
            "\
on this machine

work                  unit     ours  peer  ratio  goal   ok   measured against
spawn                 ns/task  120   220   0.50   ≤ 1 ×  yes  rayon
exec beside parallel  ns/task  1500  -     -      ≥ 5 ×  ?    parallel
! exec beside parallel: parallel: install it
* outwork: is ours
"
        );
    }

    #[test]
    fn small_numbers_keep_their_digits() {
        assert_eq!([0.0421, 1.367, 25.14, 1234.5].map(plain), ["0.042", "1.37", "25.1", "1234"]);
    }
}
