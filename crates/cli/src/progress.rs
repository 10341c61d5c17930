//! `--bar`: how far a run is, for a person at a terminal.

use std::{
    fs::File,
    io::{self, IsTerminal},
    os::fd::AsFd,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A run that takes longer shows a bar without being asked, where it disturbs nothing.
const LONG: Duration = Duration::from_secs(2);

/// The progress bar, where somebody can see it: when it was asked for, and when the run is long
/// and its output goes to a file.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    /// When it is to be shown, as long as it is not.
    hidden_until: Option<Instant>,
    started: u64,
    failed: u64,
}

impl Progress {
    pub(crate) fn new(wanted: bool) -> Self {
        let bar = (io::stderr().is_terminal() && (wanted || output_is_a_file())).then(|| {
            let target = if wanted { shown() } else { ProgressDrawTarget::hidden() };
            ProgressBar::with_draw_target(None, target).with_style(style(OPEN))
        });
        let hidden_until = (!wanted).then(|| Instant::now() + LONG);
        Self { bar, hidden_until, started: 0, failed: 0 }
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
            if self.hidden_until.take_if(|end| *end <= Instant::now()).is_some() {
                bar.set_draw_target(shown());
            }
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

fn shown() -> ProgressDrawTarget {
    ProgressDrawTarget::stderr_with_hz(10)
}

/// Not a pipe: what reads it may be a pager that has the terminal for itself.
fn output_is_a_file() -> bool {
    let stdout = io::stdout().as_fd().try_clone_to_owned().map(File::from);
    stdout.and_then(|stdout| stdout.metadata()).is_ok_and(|metadata| metadata.is_file())
}

/// Before and after the end of the input is known.
const OPEN: &str = "{elapsed_precise} {pos} done {msg}";
const CLOSED: &str = "{elapsed_precise} {wide_bar} {pos}/{len} {msg} {eta} left";

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are constants that parse")
}
