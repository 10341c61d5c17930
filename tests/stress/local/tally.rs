//! [`Tally`]: what the rounds so far came to.

use std::{collections::BTreeMap, fmt::Write, time::Duration};

use outwork_core::State;

use super::{
    ledger::Fate,
    plan::{End, Kind, Plan, Step},
    stage::Stage,
};

/// What the rounds so far came to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    rounds: BTreeMap<Kind, u64>,
    jobs: u64,
    /// Bodies that ran.
    runs: u64,
    refused: u64,
    detached: u64,
    succeeded: u64,
    failed: u64,
    cancelled: u64,
    timed_out: u64,
    lost: u64,
    retries: u64,
    stops: u64,
    drops: u64,
    resizes: u64,
}

impl Tally {
    pub(super) fn add(&mut self, stage: &Stage) {
        let plan: &Plan = &stage.plan;
        *self.rounds.entry(plan.kind).or_default() += 1;
        match plan.end {
            End::Stop(_) => self.stops += 1,
            End::Drop => self.drops += 1,
        }
        for step in plan.clients.iter().flatten() {
            self.stops += u64::from(matches!(step, Step::Stop(_)));
            self.resizes += u64::from(matches!(step, Step::Resize(_)));
        }
        for record in &stage.records {
            self.runs += u64::from(record.runs());
            self.jobs += u64::from(record.fate() != Fate::Untouched);
            match record.fate() {
                Fate::Untouched | Fate::Offered => {}
                Fate::Refused => self.refused += 1,
                Fate::Accepted => self.detached += 1,
                Fate::Ended(end) => {
                    self.retries += u64::from(end.attempts.saturating_sub(1));
                    *self.ended(end.state) += 1;
                }
            }
        }
    }

    fn ended(&mut self, state: State) -> &mut u64 {
        match state {
            State::Succeeded => &mut self.succeeded,
            State::Cancelled => &mut self.cancelled,
            State::TimedOut => &mut self.timed_out,
            State::Lost => &mut self.lost,
            State::Failed | State::Pending | State::Running => &mut self.failed,
        }
    }

    /// The whole in one line.
    pub(super) fn line(&self, time: Duration) -> String {
        let mut line = format!("{:.0} s, rounds:", time.as_secs_f64());
        for (kind, rounds) in &self.rounds {
            // Writing to a string cannot fail.
            let _ = write!(line, " {rounds} {kind:?}");
        }
        let _ = write!(
            line,
            "; stops: {}, drops: {}, resizes: {}",
            self.stops, self.drops, self.resizes
        );
        let _ = write!(line, "; jobs: {} (", self.jobs);
        for (count, words) in self.parts() {
            let _ = write!(line, "{count} {words}, ");
        }
        let _ = write!(line, "{} runs)", self.runs);
        line
    }

    const fn parts(&self) -> [(u64, &'static str); 8] {
        [
            (self.succeeded, "succeeded"),
            (self.failed, "failed"),
            (self.cancelled, "cancelled"),
            (self.timed_out, "timed out"),
            (self.lost, "lost"),
            (self.detached, "detached"),
            (self.refused, "refused"),
            (self.retries, "retries"),
        ]
    }

    /// A stress that never came to what it is about has proved nothing.
    pub(super) fn check_reach(&self) -> Result<(), String> {
        const ENOUGH: u64 = 100;
        if self.rounds.values().sum::<u64>() < ENOUGH {
            return Ok(());
        }
        let ends = [(self.stops, "stops"), (self.drops, "drops"), (self.resizes, "resizes")];
        let never = self.parts().into_iter().chain(ends).find(|(count, _)| *count == 0);
        let kind = Kind::ALL.into_iter().find(|kind| !self.rounds.contains_key(kind));
        match (never, kind) {
            (None, None) => Ok(()),
            (Some((_, words)), _) => Err(format!("{ENOUGH} rounds came to nothing of: {words}")),
            (None, Some(kind)) => Err(format!("{ENOUGH} rounds and none on {kind:?}")),
        }
    }
}
