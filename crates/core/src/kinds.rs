//! [`ExecutorKinds`]: from an alias to an executor.

use std::{collections::BTreeMap, fmt, sync::Arc};

use crate::{BuildError, Executor, ExecutorConfig, Registry};

/// Builds an executor of one kind.
type Factory =
    dyn Fn(&ExecutorConfig, Arc<Registry>) -> Result<Arc<dyn Executor>, BuildError> + Send + Sync;

/// The kinds of executor that a program knows, by alias.
///
/// An executor of your own becomes a name in a configuration file by
/// [`add`](Self::add)ing it here.
#[derive(Clone, Default)]
pub struct ExecutorKinds {
    factories: BTreeMap<String, Arc<Factory>>,
}

impl ExecutorKinds {
    /// No kinds.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a kind.
    ///
    /// # Errors
    ///
    /// When the alias is taken.
    pub fn add(
        &mut self,
        alias: &str,
        factory: impl Fn(&ExecutorConfig, Arc<Registry>) -> Result<Arc<dyn Executor>, BuildError>
        + Send
        + Sync
        + 'static,
    ) -> Result<(), BuildError> {
        if self.factories.contains_key(alias) {
            return Err(BuildError::DuplicateKind { alias: alias.to_owned() });
        }
        self.factories.insert(alias.to_owned(), Arc::new(factory));
        Ok(())
    }

    /// Takes a kind out; whether it was there.
    pub fn remove(&mut self, alias: &str) -> bool {
        self.factories.remove(alias).is_some()
    }

    /// All aliases, sorted.
    pub fn aliases(&self) -> impl Iterator<Item = &str> {
        self.factories.keys().map(String::as_str)
    }

    /// Builds what a configuration describes.
    ///
    /// # Errors
    ///
    /// When the kind is unknown or its settings are refused.
    pub fn build(
        &self,
        config: &ExecutorConfig,
        registry: Arc<Registry>,
    ) -> Result<Arc<dyn Executor>, BuildError> {
        let factory =
            self.factories.get(config.kind()).ok_or_else(|| self.unknown(config.kind()))?;
        factory(config, registry)
    }

    fn unknown(&self, alias: &str) -> BuildError {
        let mut known: Vec<_> = self.aliases().map(str::to_owned).collect();
        known.sort_by(|a, b| {
            strsim::jaro_winkler(b, alias).total_cmp(&strsim::jaro_winkler(a, alias))
        });
        BuildError::UnknownKind { alias: alias.to_owned(), known }
    }
}

impl fmt::Debug for ExecutorKinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.aliases()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuse(_: &ExecutorConfig, _: Arc<Registry>) -> Result<Arc<dyn Executor>, BuildError> {
        Err(BuildError::zero("workers"))
    }

    #[test]
    fn an_alias_is_added_once_and_an_unknown_one_is_answered_with_the_nearest() {
        let mut kinds = ExecutorKinds::new();
        kinds.add("thread-pool", refuse).unwrap();
        kinds.add("inline", refuse).unwrap();
        assert!(kinds.add("inline", refuse).is_err());
        let config = ExecutorConfig::new("thread-pol", &());
        let error = kinds.build(&config, Arc::default()).unwrap_err();
        let BuildError::UnknownKind { known, .. } = error else { panic!("{error}") };
        assert_eq!(known[0], "thread-pool");
        assert!(kinds.remove("inline") && !kinds.remove("inline"));
    }
}
