//! Every exit code of `outwork`.

use std::process;

use outwork_core::{Rejection, TaskError, TaskErrorKind};

/// How `outwork` ends. Scripts rely on these numbers: none changes its meaning.
///
/// With `--exit-count` the codes 1 to 101 are a count and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitCode {
    /// 0: everything that was asked for is done.
    Success,
    /// 1: a task failed, crashed, timed out or was cancelled; or we could not go on ourselves.
    Failure,
    /// 1 to 101, with `--exit-count`: so many tasks failed, 101 for more than 100.
    FailureCount(u64),
    /// 2: the command line, the configuration or a file it names is not usable; nothing was started.
    Usage,
    /// 3: the broker could not be reached.
    BrokerUnreachable,
    /// 4: refused: credentials, a topology that differs, a program the worker does not allow.
    Refused,
    /// 5: a wait (`--wait`, `--timeout`) was over before what it waited for.
    WaitTimedOut,
    /// 6: the drain deadline passed; unfinished work was given back.
    DrainDeadlinePassed,
    /// 69: no worker answered (EX_UNAVAILABLE of sysexits.h).
    NoWorker,
    /// 128 + n: ended by signal n.
    Signalled(u8),
}

impl ExitCode {
    /// The code after `failed` tasks failed; `exit_count` is whether `--exit-count` was given.
    pub(crate) fn of_failures(failed: u64, exit_count: bool) -> Self {
        match failed {
            0 => Self::Success,
            _ if exit_count => Self::FailureCount(failed),
            _ => Self::Failure,
        }
    }

    /// The code after one task failed.
    pub(crate) fn of_error(error: &TaskError) -> Self {
        if is_not_allowed(error) { Self::Refused } else { Self::Failure }
    }

    /// The number that the parent process sees.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::FailureCount(failed) => u8::try_from(failed).unwrap_or(u8::MAX).min(101),
            Self::Usage => 2,
            Self::BrokerUnreachable => 3,
            Self::Refused => 4,
            Self::WaitTimedOut => 5,
            Self::DrainDeadlinePassed => 6,
            Self::NoWorker => 69,
            Self::Signalled(signal) => 128_u8.saturating_add(signal),
        }
    }
}

/// Whether a worker on another machine does not run such a thing.
pub(crate) fn is_not_allowed(error: &TaskError) -> bool {
    matches!(
        error.kind(),
        TaskErrorKind::Rejected(Rejection::ProgramNotAllowed { .. } | Rejection::UnknownTask)
    )
}

impl From<ExitCode> for process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_number() {
        let rows = [
            (ExitCode::Success, 0),
            (ExitCode::Failure, 1),
            (ExitCode::FailureCount(1), 1),
            (ExitCode::FailureCount(100), 100),
            (ExitCode::FailureCount(101), 101),
            (ExitCode::FailureCount(102), 101),
            (ExitCode::FailureCount(256), 101),
            (ExitCode::FailureCount(u64::MAX), 101),
            (ExitCode::Usage, 2),
            (ExitCode::BrokerUnreachable, 3),
            (ExitCode::Refused, 4),
            (ExitCode::WaitTimedOut, 5),
            (ExitCode::DrainDeadlinePassed, 6),
            (ExitCode::NoWorker, 69),
            (ExitCode::Signalled(2), 130),
            (ExitCode::Signalled(15), 143),
            (ExitCode::Signalled(u8::MAX), 255),
        ];
        for (code, number) in rows {
            assert_eq!(code.number(), number, "{code:?}");
            assert_eq!(process::ExitCode::from(code), process::ExitCode::from(number));
        }
    }

    #[test]
    fn failures_are_counted_only_when_asked() {
        assert_eq!(ExitCode::of_failures(7, false), ExitCode::Failure);
        assert_eq!(ExitCode::of_failures(7, true), ExitCode::FailureCount(7));
        assert_eq!(ExitCode::of_failures(0, false), ExitCode::Success);
        assert_eq!(ExitCode::of_failures(0, true), ExitCode::Success);
    }
}
