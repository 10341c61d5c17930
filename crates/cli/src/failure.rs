//! [`Failure`]: why a command ends early.

use std::io::{self, Write};

use outwork_amqp::{ConnectError, ConnectErrorKind};
use outwork_core::{SubmitError, SubmitErrorKind};

use crate::{exit_code::ExitCode, output::OutputError};

/// The signal that ends those who write to a pipe which nobody reads.
const SIGPIPE: u8 = 13;

/// Why a command ends early: the exit code, and what is said.
#[derive(Debug)]
pub(crate) struct Failure {
    code: ExitCode,
    error: anyhow::Error,
}

impl Failure {
    /// What was typed, or a file it names, is not usable. Nothing was started.
    pub(crate) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { code: ExitCode::Usage, error: error.into() }
    }

    /// As [`usage`](Self::usage), in words made here.
    pub(crate) fn usage_message(message: impl Into<String>) -> Self {
        Self::usage(anyhow::Error::msg(message.into()))
    }

    /// We could not go on.
    pub(crate) fn failed(error: impl Into<anyhow::Error>) -> Self {
        Self { code: ExitCode::Failure, error: error.into() }
    }

    /// Somebody else refused: the broker, or a worker.
    pub(crate) fn refused(error: impl Into<anyhow::Error>) -> Self {
        Self { code: ExitCode::Refused, error: error.into() }
    }

    /// The broker cannot be reached, or not any more.
    pub(crate) fn unreachable(error: impl Into<anyhow::Error>) -> Self {
        Self { code: ExitCode::BrokerUnreachable, error: error.into() }
    }

    /// A wait was over before what it waited for.
    pub(crate) fn timed_out(error: impl Into<anyhow::Error>) -> Self {
        Self { code: ExitCode::WaitTimedOut, error: error.into() }
    }

    /// No worker has answered.
    pub(crate) fn no_worker(error: impl Into<anyhow::Error>) -> Self {
        Self { code: ExitCode::NoWorker, error: error.into() }
    }

    /// A task was not taken by an executor, which may be one on other machines.
    pub(crate) fn not_submitted(error: SubmitError, is_remote: bool) -> Self {
        use SubmitErrorKind as Kind;
        match error.kind() {
            Kind::InvalidOptions | Kind::TooLarge => Self::usage(error),
            Kind::Infrastructure | Kind::Unconfirmed if is_remote => Self::unreachable(error),
            _ => Self::failed(error),
        }
    }

    /// Says what is the matter, and gives the exit code.
    ///
    /// Nothing is said when the reader of our output has gone: that is how `| head -1` ends.
    pub(crate) fn report(self) -> ExitCode {
        match self.error.downcast_ref::<OutputError>() {
            Some(error) if error.is_closed() => ExitCode::Signalled(SIGPIPE),
            _ => {
                tell(&format!("{:#}", self.error));
                self.code
            }
        }
    }
}

/// The broker cannot be used. Its message has what the client library said, as far as that helps.
impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        use ConnectErrorKind as Kind;
        let message = anyhow::Error::msg(error.to_string());
        match error.kind() {
            Kind::InvalidUrl | Kind::TlsMissing | Kind::InvalidSetting => Self::usage(message),
            Kind::AccessDenied
            | Kind::Untrusted
            | Kind::VhostNotFound
            | Kind::NotPermitted
            | Kind::Missing
            | Kind::Mismatch => Self::refused(message),
            _ => Self::unreachable(message),
        }
    }
}

/// Output that cannot be written ends every command.
impl From<OutputError> for Failure {
    fn from(error: OutputError) -> Self {
        Self::failed(error)
    }
}

/// Tells the person something past every buffer. Nobody can be told that this failed.
pub(crate) fn tell(message: &str) {
    let _ = io::stderr().write_all(format!("outwork: {message}\n").as_bytes());
}
