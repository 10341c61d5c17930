//! [`Codec`]: how a payload's bytes are to be read.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The encoding of a [`Payload`](crate::Payload).
///
/// A handler takes either and answers in kind, so that a person may type JSON
/// at a task that programs call with MessagePack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Codec {
    /// MessagePack with field names, the encoding of every wire.
    #[default]
    MessagePack,
    /// JSON in UTF-8.
    Json,
}

impl Codec {
    /// The media type, as it stands in a message's `content_type`.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::MessagePack => "application/msgpack",
            Self::Json => "application/json",
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MessagePack => "MessagePack",
            Self::Json => "JSON",
        })
    }
}
