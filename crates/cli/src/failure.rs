//! [`Failure`]: why a command ends early.

use std::io::{self, Write};

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
