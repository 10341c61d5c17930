//! The names of everything on the broker.

use std::{fmt, sync::Arc};

use lapin::types::ShortString;
use serde::{Deserialize, Serialize};

/// The longest name that a user may choose. The broker's own limit is 255 bytes, and what
/// Outwork puts before and behind has to fit too.
const LONGEST: usize = 128;

/// The longest prefix, so that it and the longest name stay below 255 bytes together.
const LONGEST_PREFIX: usize = 64;

/// The name of a task queue, as users know it: without the prefix. Clones share it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct QueueName(Arc<str>);

/// What all names of one installation begin with, so that several can share a virtual host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prefix(String);

/// The text cannot be a name on the broker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{name:?} cannot be a name: {reason}; use 1 to 128 letters, digits, `-`, `_`, `:` and \
     single dots"
)]
pub struct InvalidName {
    name: String,
    reason: &'static str,
}

fn check(name: &str) -> Result<String, InvalidName> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_:.".contains(c);
    let reason = if name.is_empty() {
        "it is empty"
    } else if name.len() > LONGEST {
        "it is too long"
    } else if !name.chars().all(allowed) {
        "it has other characters"
    } else if name.split('.').any(str::is_empty) {
        // Dots part the words of a routing key.
        "it has a dot at an end, or two in a row"
    } else {
        return Ok(name.to_owned());
    };
    let shown = name.chars().take(LONGEST).collect();
    Err(InvalidName { name: shown, reason })
}

impl QueueName {
    /// Checks a name.
    ///
    /// # Errors
    ///
    /// When it is empty, longer than 128 bytes, or has characters that do not belong in a name.
    pub fn new(name: &str) -> Result<Self, InvalidName> {
        check(name).map(|name| Self(name.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for QueueName {
    type Error = InvalidName;

    fn try_from(name: String) -> Result<Self, InvalidName> {
        Self::new(&name)
    }
}

impl From<QueueName> for String {
    fn from(name: QueueName) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl Default for QueueName {
    fn default() -> Self {
        Self("outwork".into())
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Default for Prefix {
    fn default() -> Self {
        Self("outwork".to_owned())
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Prefix {
    pub(crate) fn new(prefix: &str) -> Result<Self, InvalidName> {
        if prefix.len() > LONGEST_PREFIX {
            return Err(InvalidName {
                name: prefix.to_owned(),
                reason: "a prefix has at most 64 bytes",
            });
        }
        check(prefix).map(Self)
    }

    fn name(&self, rest: &str) -> ShortString {
        let name = format!("{}.{rest}", self.0);
        ShortString::try_new(name).expect("a prefix of 64 and a name of 128 bytes fit")
    }

    /// Where tasks are published, with the queue as the key.
    pub(crate) fn task_exchange(&self) -> ShortString {
        self.name("task")
    }

    /// Where dead letters are published, with the queue as the key.
    pub(crate) fn dead_exchange(&self) -> ShortString {
        self.name("dead")
    }

    /// Where results are published, with the client's queue as the key.
    pub(crate) fn reply_exchange(&self) -> ShortString {
        self.name("reply")
    }

    /// Where the records of the streams are published, with `ctl` or `jobs` as the key.
    pub(crate) fn log_exchange(&self) -> ShortString {
        self.name("log")
    }

    /// Where tasks arrive whose delay is over.
    pub(crate) fn due_exchange(&self) -> ShortString {
        self.name("due")
    }

    /// The exchange and the queue of one rung of the ladder of delays.
    pub(crate) fn delay(&self, level: usize) -> ShortString {
        self.name(&format!("delay.{level}"))
    }

    pub(crate) fn task_queue(&self, queue: &QueueName) -> ShortString {
        self.name(&format!("q.{queue}"))
    }

    pub(crate) fn dead_queue(&self, queue: &QueueName) -> ShortString {
        self.name(&format!("dead.{queue}"))
    }

    pub(crate) fn control_stream(&self) -> ShortString {
        self.name("ctl")
    }

    pub(crate) fn jobs_stream(&self) -> ShortString {
        self.name("jobs")
    }

    /// Under which key messages go to all clients.
    pub(crate) fn all_clients() -> ShortString {
        ShortString::from("all")
    }

    /// The queue that the replies to one client go to.
    pub(crate) fn reply_queue(&self, client: &str) -> ShortString {
        self.name(&format!("r.{client}"))
    }

    /// Whether replies may go there. Anything else would make a worker write, with its own
    /// rights, where the sender of a task may not.
    pub(crate) fn is_reply_queue(&self, name: &str) -> bool {
        let rest = name.strip_prefix(&self.0).and_then(|rest| rest.strip_prefix(".r."));
        rest.is_some_and(|client| check(client).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_every_broker_takes_is_a_name() {
        for good in ["a", "mail.urgent", "a-b_c:d", &"x".repeat(128)] {
            assert!(QueueName::new(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "a..b", "a.", "#", "*", "a b", "ä", &"x".repeat(129)] {
            assert!(QueueName::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn replies_go_to_queues_of_clients_only() {
        let prefix = Prefix::default();
        let queue = prefix.reply_queue("0193");
        assert!(prefix.is_reply_queue(queue.as_str()));
        for other in ["outwork.q.mail", "other.r.0193", "outwork.r.", "outwork.r.a/b", "x"] {
            assert!(!prefix.is_reply_queue(other), "{other}");
        }
    }
}
