//! [`Tally`]: what the rounds so far came to.

use std::{collections::BTreeMap, fmt::Write, time::Duration};

use outwork_core::State;

use super::ledger::{Fate, Record};

/// What the rounds so far came to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    rounds: u64,
    disturbed: u64,
    refused: u64,
    detached: u64,
    again: u64,
    ended: BTreeMap<String, u64>,
}

impl Tally {
    pub(super) fn add(&mut self, records: &[Record], disturbed: u64) {
        self.rounds += 1;
        self.disturbed += disturbed;
        for record in records {
            match record.fate() {
                Fate::Refused => self.refused += 1,
                Fate::Detached => self.detached += 1,
                Fate::Ended(end) => {
                    self.again += u64::from(end.attempts > 1);
                    *self.ended.entry(end.state.to_string()).or_default() += 1;
                }
            }
        }
    }

    pub(super) fn line(&self, elapsed: Duration) -> String {
        let mut line = format!(
            "{:.0} s: {} rounds, {} workers disturbed;",
            elapsed.as_secs_f64(),
            self.rounds,
            self.disturbed
        );
        for (state, count) in &self.ended {
            // Writing to a string does not fail.
            let _ = write!(line, " {count} {state},");
        }
        let Self { again, refused, detached, .. } = self;
        let _ = write!(line, " {again} run again, {refused} refused, {detached} detached");
        line
    }

    /// # Errors
    ///
    /// When something that is to be stressed did not happen.
    pub(super) fn check_reach(&self) -> Result<(), String> {
        let states =
            [State::Succeeded, State::Failed, State::Cancelled, State::TimedOut, State::Lost];
        let missing = states.iter().find(|state| !self.ended.contains_key(&state.to_string()));
        match missing {
            Some(state) => Err(format!("no task ended as {state}: give it more time")),
            None if self.disturbed == 0 => Err("no worker was disturbed".to_owned()),
            None => Ok(()),
        }
    }
}
