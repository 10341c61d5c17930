//! [`TaskDef`]: where argument and result types meet a wire name.

use std::{fmt, marker::PhantomData};

use serde::Serialize;

use crate::{Codec, EncodeError, Payload, Task, TaskName, name::MAX_TASK_NAME};

/// A typed name: the one place where argument and result types meet a wire name.
///
/// The side that registers the handler and the side that calls it share this constant.
///
/// ```
/// use outwork_core::TaskDef;
///
/// const RESIZE: TaskDef<(String, u32), u64> = TaskDef::new("image.resize");
/// let task = RESIZE.task(&("cat.png".to_owned(), 640)).unwrap();
/// assert_eq!(task.name().as_str(), "image.resize");
/// ```
pub struct TaskDef<A, R> {
    name: &'static str,
    types: PhantomData<fn(A) -> R>,
}

impl<A, R> TaskDef<A, R> {
    /// Ties the types to a name.
    ///
    /// # Panics
    ///
    /// When the name is empty, longer than 128 bytes or not printable ASCII without spaces:
    /// in a `const` that is an error of the compiler.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        let bytes = name.as_bytes();
        assert!(!bytes.is_empty() && bytes.len() <= MAX_TASK_NAME, "1 to 128 bytes");
        let mut i = 0;
        while i < bytes.len() {
            assert!(bytes[i].is_ascii_graphic(), "printable ASCII without spaces");
            i += 1;
        }
        Self { name, types: PhantomData }
    }

    /// The wire name.
    #[must_use]
    pub const fn name(&self) -> TaskName {
        TaskName::from_checked(self.name)
    }
}

impl<A: Serialize, R> TaskDef<A, R> {
    /// Makes a task of arguments, in MessagePack.
    ///
    /// # Errors
    ///
    /// When the arguments do not encode.
    pub fn task(&self, args: &A) -> Result<Task, EncodeError> {
        Ok(Task::new(self.name(), Payload::encode(Codec::MessagePack, args)?))
    }
}

impl<A, R> Clone for TaskDef<A, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A, R> Copy for TaskDef<A, R> {}

impl<A, R> fmt::Debug for TaskDef<A, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskDef({})", self.name)
    }
}
