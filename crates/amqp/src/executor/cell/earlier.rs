//! [`EarlierOutputs`]: what the attempts before the last one wrote.

use outwork_core::{Outcome, Output, Report};

/// What the attempts before the last one wrote, in their order. Empty as long as none of them
/// told of any.
#[derive(Debug, Default)]
pub(super) struct EarlierOutputs(Vec<Output>);

impl EarlierOutputs {
    /// Keeps what an attempt wrote that so many failed ones came before.
    pub(super) fn keep(&mut self, output: Option<Output>, failures: u32) {
        if output.is_none() && self.0.is_empty() {
            return;
        }
        self.0.resize_with(failures as usize, Output::default);
        self.0.push(output.unwrap_or_default());
    }

    /// Puts what is kept before what the last attempt wrote, for good.
    pub(super) fn put_before(&mut self, outcome: Outcome, failures: u32) -> Outcome {
        if self.0.is_empty() {
            return outcome;
        }
        let mut outputs = std::mem::take(&mut self.0);
        if outcome.attempts() > failures {
            outputs.resize_with(failures as usize, Output::default);
            outputs.push(outcome.outputs().last().cloned().unwrap_or_default());
        }
        let report = Report {
            attempts: outcome.attempts(),
            timings: outcome.timings(),
            worker: outcome.worker().map(Into::into),
            outputs,
            notes: outcome.notes().to_vec(),
        };
        Outcome::new(outcome.into_result(), report)
    }
}
