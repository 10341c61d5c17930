//! [`WireError`]: what is the matter with a message.

/// What is the matter with a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    /// It is of a version that came after this program.
    #[error("the message is of version {0}, and only {version} is known here", version = super::VERSION)]
    Version(i64),
    /// A header or a property is missing or makes no sense.
    #[error("{0}")]
    Header(String),
    /// The body does not read.
    #[error("the body is no {what}: {message}")]
    Body {
        /// What it should have been.
        what: &'static str,
        /// What the decoder had to say.
        message: String,
    },
    /// A value cannot be written.
    #[error("it cannot be written as a message: {0}")]
    Unwritable(String),
}

impl WireError {
    pub(super) fn header(name: &str, why: &str) -> Self {
        Self::Header(format!("{name} {why}"))
    }

    pub(super) fn body(what: &'static str, error: &dyn std::fmt::Display) -> Self {
        Self::Body { what, message: error.to_string() }
    }
}
