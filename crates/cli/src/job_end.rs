//! How a run of `exec` ended, in the numbers that its records give.

/// How a run ended, as the joblog and the results directory write it down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobEnd {
    /// It exited by itself. 127 when the program could not be started, as a shell has it.
    Exited(i32),
    /// A signal ended it.
    Signalled(i32),
    /// It was stopped at its time limit.
    TimedOut,
    /// It ended without a status of its own: its worker was lost, its output too large.
    WithoutStatus,
}

impl JobEnd {
    pub(crate) fn is_success(self) -> bool {
        self == Self::Exited(0)
    }

    /// The joblog's `Exitval`.
    pub(crate) fn exitval(self) -> i32 {
        match self {
            Self::Exited(code) => code,
            Self::Signalled(_) => 0,
            Self::TimedOut | Self::WithoutStatus => -1,
        }
    }

    /// The joblog's `Signal`; like GNU parallel, SIGTERM for a run that timed out.
    pub(crate) fn signal(self) -> i32 {
        match self {
            Self::Signalled(signal) => signal,
            Self::TimedOut => 15,
            Self::Exited(_) | Self::WithoutStatus => 0,
        }
    }

    /// One number for all of it: a shell's `$?`, at the time limit timeout(1)'s 124, -1 without a status.
    pub(crate) fn shell_status(self) -> i32 {
        match self {
            Self::Exited(code) => code,
            Self::Signalled(signal) => 128 + signal,
            Self::TimedOut => 124,
            Self::WithoutStatus => -1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::JobEnd;

    #[test]
    fn the_numbers_are_those_of_gnu_parallel_and_the_shell() {
        let rows = [
            (JobEnd::Exited(0), 0, 0, 0),
            (JobEnd::Exited(3), 3, 0, 3),
            (JobEnd::Signalled(9), 0, 9, 137),
            (JobEnd::TimedOut, -1, 15, 124),
            (JobEnd::WithoutStatus, -1, 0, -1),
        ];
        for (end, exitval, signal, shell_status) in rows {
            assert_eq!((end.exitval(), end.signal()), (exitval, signal), "{end:?}");
            assert_eq!(end.shell_status(), shell_status, "{end:?}");
            assert_eq!(end.is_success(), end == JobEnd::Exited(0), "{end:?}");
        }
    }
}
