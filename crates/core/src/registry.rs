//! [`Registry`]: which names there are, and the code behind them.

use std::{any::type_name, collections::BTreeMap, future::Future, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    BodyKind, BoxError, CommandReport, CommandSpec, Handler, InvalidTaskName, Payload, Refusal,
    SubmitErrorKind, TaskContext, TaskDef, TaskError, TaskErrorKind, TaskName,
    likeness::{advice, nearest_names},
};

/// Which task names there are, and the code behind each.
///
/// Filled first, then shared by `Arc` with the executors that run its tasks.
///
/// ```
/// use outwork_core::{BoxError, Registry, TaskDef};
///
/// const ADD: TaskDef<(u64, u64), u64> = TaskDef::new("demo.add");
/// let mut registry = Registry::new();
/// registry.register(ADD, |_ctx, (a, b)| Ok::<_, BoxError>(a + b))?;
/// assert!(registry.get("demo.add").is_some());
/// # Ok::<(), outwork_core::RegisterError>(())
/// ```
#[derive(Debug, Default)]
pub struct Registry {
    /// Compared with few names, which is cheaper than to hash one.
    tasks: BTreeMap<String, Arc<Registered>>,
}

/// One registered task.
#[derive(Debug)]
pub struct Registered {
    name: TaskName,
    handler: Handler,
    arguments: String,
    result: String,
}

/// A task could not be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// The name is taken.
    #[error("a task named {0:?} is registered already")]
    Duplicate(TaskName),
    /// The name cannot be one.
    #[error(transparent)]
    InvalidName(#[from] InvalidTaskName),
}

impl Registry {
    /// A registry without tasks.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a function that may block.
    ///
    /// # Errors
    ///
    /// When the name is taken.
    pub fn register<A, R, E>(
        &mut self,
        def: TaskDef<A, R>,
        body: impl Fn(&TaskContext, A) -> Result<R, E> + Send + Sync + 'static,
    ) -> Result<(), RegisterError>
    where
        A: DeserializeOwned,
        R: Serialize,
        E: Into<BoxError>,
    {
        let name = def.name();
        let handler = Handler::Sync(Arc::new(move |ctx, payload| {
            let args = decode_args(&name, payload)?;
            let result = body(ctx, args).map_err(|error| TaskError::from_error(error.into()))?;
            encode_result(&name, payload, &result)
        }));
        self.insert::<A, R>(def.name(), handler)
    }

    /// Registers a function that returns a future.
    ///
    /// # Errors
    ///
    /// When the name is taken.
    pub fn register_async<A, R, E, F>(
        &mut self,
        def: TaskDef<A, R>,
        body: impl Fn(TaskContext, A) -> F + Send + Sync + 'static,
    ) -> Result<(), RegisterError>
    where
        A: DeserializeOwned + Send + 'static,
        R: Serialize + 'static,
        E: Into<BoxError> + 'static,
        F: Future<Output = Result<R, E>> + Send + 'static,
    {
        let name = def.name();
        let body = Arc::new(body);
        let handler = Handler::Async(Arc::new(move |ctx, payload: Payload| {
            let (name, body) = (name.clone(), Arc::clone(&body));
            Box::pin(async move {
                let args = decode_args(&name, &payload)?;
                let future = body(ctx, args);
                let result = future.await.map_err(|error| TaskError::from_error(error.into()))?;
                encode_result(&name, &payload, &result)
            })
        }));
        self.insert::<A, R>(def.name(), handler)
    }

    /// Registers a program: `body` makes the command of the arguments.
    ///
    /// # Errors
    ///
    /// When the name is taken.
    pub fn register_command<A, E>(
        &mut self,
        def: TaskDef<A, CommandReport>,
        body: impl Fn(&TaskContext, A) -> Result<CommandSpec, E> + Send + Sync + 'static,
    ) -> Result<(), RegisterError>
    where
        A: DeserializeOwned,
        E: Into<BoxError>,
    {
        let name = def.name();
        let handler = Handler::Command(Arc::new(move |ctx, payload| {
            let args = decode_args(&name, payload)?;
            body(ctx, args).map_err(|error| TaskError::from_error(error.into()))
        }));
        self.insert::<A, CommandReport>(def.name(), handler)
    }

    /// Registers a handler over encoded arguments, for names that are known only at run time.
    ///
    /// # Errors
    ///
    /// When the name is taken or cannot be one.
    pub fn register_raw(&mut self, name: &str, handler: Handler) -> Result<(), RegisterError> {
        self.insert::<Payload, Payload>(TaskName::new(name)?, handler)
    }

    /// Takes over all tasks of another registry.
    ///
    /// # Errors
    ///
    /// When a name is in both; then nothing was taken over.
    pub fn extend(&mut self, other: Self) -> Result<(), RegisterError> {
        if let Some(twice) = other.tasks.values().find(|task| self.get(&task.name).is_some()) {
            return Err(RegisterError::Duplicate(twice.name.clone()));
        }
        self.tasks.extend(other.tasks);
        Ok(())
    }

    fn insert<A, R>(&mut self, name: TaskName, handler: Handler) -> Result<(), RegisterError> {
        if self.tasks.contains_key(name.as_str()) {
            return Err(RegisterError::Duplicate(name));
        }
        let task = Registered {
            name: name.clone(),
            handler,
            arguments: short_type_name(type_name::<A>()),
            result: short_type_name(type_name::<R>()),
        };
        self.tasks.insert(name.as_str().to_owned(), Arc::new(task));
        Ok(())
    }

    /// The task of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Registered>> {
        self.tasks.get(name)
    }

    /// The task of that name.
    ///
    /// # Errors
    ///
    /// When there is none; the error lists the names that are most like it.
    pub fn find(&self, name: &str) -> Result<&Arc<Registered>, Refusal> {
        self.get(name).ok_or_else(|| Refusal::new(SubmitErrorKind::UnknownTask, self.unknown(name)))
    }

    fn unknown(&self, name: &str) -> String {
        let names = self.iter().map(|task| task.name.as_str());
        format!("no task named {name:?} is registered: {}", advice(name, names))
    }

    /// The registered names that `name` may have been meant to be, the most similar first: up
    /// to three, and none when none is like it.
    #[must_use]
    pub fn nearest(&self, name: &str) -> Vec<&str> {
        nearest_names(name, self.iter().map(|task| task.name.as_str()))
    }

    /// All tasks in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Registered> + Clone {
        self.tasks.values().map(|task| &**task)
    }

    /// How many tasks there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether there are no tasks.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }
}

impl Registered {
    /// The name.
    #[must_use]
    pub const fn name(&self) -> &TaskName {
        &self.name
    }

    /// The code.
    #[must_use]
    pub const fn handler(&self) -> &Handler {
        &self.handler
    }

    /// The kind of body.
    #[must_use]
    pub const fn kind(&self) -> BodyKind {
        self.handler.kind()
    }

    /// The type of the arguments as a person reads it.
    #[must_use]
    pub fn arguments(&self) -> &str {
        &self.arguments
    }

    /// The type of the result as a person reads it.
    #[must_use]
    pub fn result(&self) -> &str {
        &self.result
    }
}

fn decode_args<A: DeserializeOwned>(name: &TaskName, payload: &Payload) -> Result<A, TaskError> {
    payload.decode().map_err(|error| {
        let place =
            if error.path().is_empty() { String::new() } else { format!(" at {}", error.path()) };
        let expected = short_type_name(error.expected());
        let position =
            error.position().map_or_else(String::new, |position| format!(" ({position})"));
        let message = format!(
            "the arguments of {name} do not fit{place}: expected {expected}: {}{position}",
            error.reason()
        );
        TaskError::new(TaskErrorKind::Undecodable, message)
    })
}

fn encode_result<R: Serialize>(
    name: &TaskName,
    args: &Payload,
    result: &R,
) -> Result<Payload, TaskError> {
    Payload::encode(args.codec(), result).map_err(|error| {
        let message = format!("the result of {name} cannot be sent: {error}");
        TaskError::new(TaskErrorKind::Undecodable, message)
    })
}

/// A type's name without the paths of its modules: `Vec<String>`, not
/// `alloc::vec::Vec<alloc::string::String>`.
fn short_type_name(full: &str) -> String {
    let mut short = String::with_capacity(full.len());
    let mut word = 0;
    for c in full.chars() {
        match c {
            ':' => short.truncate(word),
            _ => short.push(c),
        }
        if !(c == ':' || c == '_' || c.is_alphanumeric()) {
            word = short.len();
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Codec;

    const ECHO: TaskDef<String, String> = TaskDef::new("demo.echo");

    fn registry() -> Registry {
        let mut registry = Registry::new();
        registry.register(ECHO, |_, text| Ok::<_, BoxError>(text)).unwrap();
        registry
    }

    #[test]
    fn a_name_can_be_taken_only_once() {
        let mut registry = registry();
        let again = registry.register(ECHO, |_, text| Ok::<_, BoxError>(text));
        assert_eq!(again, Err(RegisterError::Duplicate(ECHO.name())));
        assert!(registry.extend(self::registry()).is_err());
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        let error = registry().find("demo.ecko").unwrap_err();
        assert_eq!(error.kind(), SubmitErrorKind::UnknownTask);
        assert!(error.to_string().contains("demo.echo"), "{error}");
    }

    #[test]
    fn wrong_arguments_name_the_task_the_place_and_the_type() {
        let payload = Payload::new(Codec::Json, "[1]");
        let error = decode_args::<Vec<String>>(&ECHO.name(), &payload).unwrap_err();
        for word in ["demo.echo", "[0]", "Vec<String>"] {
            assert!(error.message().contains(word), "{word} in {error}");
        }
    }

    #[test]
    fn type_names_lose_their_paths() {
        for (full, short) in [
            ("u64", "u64"),
            ("alloc::string::String", "String"),
            ("(alloc::vec::Vec<alloc::string::String>, u8)", "(Vec<String>, u8)"),
            ("&str", "&str"),
            ("core::option::Option<a::b::C>", "Option<C>"),
        ] {
            assert_eq!(short_type_name(full), short);
        }
    }
}
