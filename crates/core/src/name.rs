//! [`TaskName`]: the wire name under which a task is registered.

use std::{
    fmt,
    hash::{Hash, Hasher},
    ops::Deref,
    sync::Arc,
};

use serde::{Deserialize, Serialize};

/// The longest task name in bytes. It fits an AMQP short string with room for a prefix.
pub(crate) const MAX_TASK_NAME: usize = 128;

/// The registered name of a task, part of the wire contract.
///
/// 1 to 128 bytes of printable text without white space.
/// It is chosen by a person and never derived from a type's path, so that code may move.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TaskName(Repr);

/// Names from a [`TaskDef`](crate::TaskDef) cost no allocation; names from the wire are shared.
#[derive(Clone)]
enum Repr {
    Static(&'static str),
    Shared(Arc<str>),
}

/// The text cannot be a task name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} cannot be a task name: {why}")]
pub struct InvalidTaskName {
    name: String,
    why: &'static str,
}

impl TaskName {
    /// Checks `name` and makes a task name of it.
    ///
    /// # Errors
    ///
    /// When the text is empty, longer than 128 bytes, or holds white space or control characters.
    pub fn new(name: &str) -> Result<Self, InvalidTaskName> {
        check(name)?;
        Ok(Self(Repr::Shared(Arc::from(name))))
    }

    /// Makes a name of a literal that [`TaskDef`](crate::TaskDef) has already checked.
    pub(crate) const fn from_checked(name: &'static str) -> Self {
        Self(Repr::Static(name))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Static(name) => name,
            Repr::Shared(name) => name,
        }
    }
}

fn check(name: &str) -> Result<(), InvalidTaskName> {
    let fail = |why| Err(InvalidTaskName { name: name.chars().take(40).collect(), why });
    if name.is_empty() {
        fail("it is empty")
    } else if name.len() > MAX_TASK_NAME {
        fail("it is longer than 128 bytes")
    } else if name.chars().any(|c| c.is_whitespace() || c.is_control()) {
        fail("it holds white space or control characters")
    } else {
        Ok(())
    }
}

impl Deref for TaskName {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for TaskName {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for TaskName {}

impl Hash for TaskName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl TryFrom<String> for TaskName {
    type Error = InvalidTaskName;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::new(&name)
    }
}

impl From<TaskName> for String {
    fn from(name: TaskName) -> Self {
        name.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_printable_words_are_names() {
        for good in ["demo.echo", "a", "übung", &"x".repeat(128)] {
            assert!(TaskName::new(good).is_ok(), "{good}");
        }
        for bad in ["", " ", "a b", "a\nb", "a\u{7}", &"x".repeat(129)] {
            assert!(TaskName::new(bad).is_err(), "{bad:?}");
        }
    }
}
