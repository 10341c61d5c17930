//! Why an executor could not be built.

/// Why an executor, a command or a registry could not be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A setting has a value that makes no sense.
    #[error("{setting} = {value}: {reason}")]
    InvalidSetting {
        /// The setting.
        setting: &'static str,
        /// The value that was given.
        value: String,
        /// What would be right.
        reason: String,
    },
    /// The configuration does not read.
    #[error("the configuration of executor kind {kind:?} cannot be used: {message}")]
    InvalidConfig {
        /// The kind of executor.
        kind: String,
        /// What is the matter with it.
        message: String,
    },
    /// No such kind of executor is known.
    #[error("{alias:?} is not a kind of executor: use one of {}", .known.join(", "))]
    UnknownKind {
        /// The alias that was asked for.
        alias: String,
        /// Those that may have been meant, nearest first; all when none is like it.
        known: Vec<String>,
    },
    /// The alias is taken.
    #[error("the executor kind {alias:?} is registered already")]
    DuplicateKind {
        /// The alias.
        alias: String,
    },
    /// The system refused a thread, a process or a file.
    #[error("{what} could not be made: {message}")]
    System {
        /// What was to be made.
        what: String,
        /// The system's answer.
        message: String,
    },
}

impl BuildError {
    /// A setting that has to be at least 1 was 0.
    #[must_use]
    pub fn zero(setting: &'static str) -> Self {
        Self::InvalidSetting {
            setting,
            value: "0".to_owned(),
            reason: "at least 1 is needed".to_owned(),
        }
    }

    /// The system refused something.
    #[must_use]
    pub fn system(what: impl Into<String>, error: &std::io::Error) -> Self {
        Self::System { what: what.into(), message: error.to_string() }
    }
}
