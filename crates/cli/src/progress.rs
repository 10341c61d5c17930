//! `--bar`: how far a run is, for a person at a terminal.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The progress bar, where one was asked for and somebody can see it.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    started: u64,
    failed: u64,
}

impl Progress {
    pub(crate) fn new(wanted: bool) -> Self {
        let bar = (wanted && io::stderr().is_terminal()).then(|| {
            let target = ProgressDrawTarget::stderr_with_hz(10);
            ProgressBar::with_draw_target(None, target).with_style(style(OPEN))
        });
        Self { bar, started: 0, failed: 0 }
    }

    pub(crate) fn started(&mut self) {
        self.started += 1;
    }

    /// There are no more: from now on it is known how many there are.
    pub(crate) fn all_started(&self) {
        if let Some(bar) = &self.bar {
            bar.set_length(self.started);
            bar.set_style(style(CLOSED));
        }
    }

    pub(crate) fn ended(&mut self, succeeded: bool) {
        self.failed += u64::from(!succeeded);
        if let Some(bar) = &self.bar {
            bar.inc(1);
            if self.failed > 0 {
                bar.set_message(format!("{} failed", self.failed));
            }
        }
    }

    /// Writes something where the bar is; `nothing` says that there is nothing to write.
    pub(crate) fn suspend<T>(&self, nothing: bool, write: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) if !nothing => bar.suspend(write),
            _ => write(),
        }
    }

    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish();
        }
    }
}

/// Before and after the end of the input is known.
const OPEN: &str = "{elapsed_precise} {pos} done {msg}";
const CLOSED: &str = "{elapsed_precise} {wide_bar} {pos}/{len} {msg} {eta} left";

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are constants that parse")
}
