//! What an earlier run left in the joblog.

use std::{
    hash::{DefaultHasher, Hasher},
    io::{self, BufRead},
    str::FromStr,
};

use crate::command_line::CommandLine;

/// Which logged runs are not run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resume {
    /// `--resume`: every logged run, as GNU parallel has it; one that failed is not tried again.
    SkipLogged,
    /// `--resume-failed`: those that succeeded.
    SkipSucceeded,
}

/// The runs of a joblog that need not be run again.
///
/// 16 bytes a run: of each command only a fingerprint is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Logged {
    /// Number and command's fingerprint, sorted.
    runs: Vec<(u64, u64)>,
    unreadable: u64,
}

/// The columns that decide whether a run is skipped.
struct LoggedRun<'a> {
    seq: u64,
    succeeded: bool,
    command: &'a [u8],
}

impl Logged {
    /// Whether the run of this number was logged *with this command*.
    ///
    /// GNU parallel looks at the number alone, and skips the wrong runs once the input has changed.
    pub(crate) fn skips(&self, seq: u64, command: &CommandLine) -> bool {
        let run = (seq, fingerprint(command.to_string().as_bytes()));
        self.runs.binary_search(&run).is_ok()
    }

    /// How many lines were passed over because they are torn or garbled.
    pub(crate) fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Reads the lines after the header. A last line without newline is torn: its run may not have ended.
    pub(super) fn read(mut lines: impl BufRead, resume: Resume) -> io::Result<Self> {
        let mut logged = Self::default();
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line)? > 0 {
            logged.add(line.strip_suffix(b"\n"), resume);
            line.clear();
        }
        logged.runs.sort_unstable();
        Ok(logged)
    }

    /// `line` is `None` when it is torn.
    fn add(&mut self, line: Option<&[u8]>, resume: Resume) {
        match line.and_then(LoggedRun::parse) {
            None => self.unreadable += 1,
            Some(run) if resume == Resume::SkipLogged || run.succeeded => {
                self.runs.push((run.seq, fingerprint(run.command)));
            }
            Some(_) => {}
        }
    }
}

impl<'a> LoggedRun<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let columns: Vec<_> = line.splitn(9, |byte| *byte == b'\t').collect();
        let [seq, _, _, _, _, _, exitval, signal, command] = columns[..] else { return None };
        let (exitval, signal): (i32, i32) = (number(exitval)?, number(signal)?);
        Some(Self { seq: number(seq)?, succeeded: exitval == 0 && signal == 0, command })
    }
}

fn number<N: FromStr>(column: &[u8]) -> Option<N> {
    std::str::from_utf8(column).ok()?.parse().ok()
}

fn fingerprint(command: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(command);
    hasher.finish()
}
