//! [`ExecutorKinds`]: from an alias to an executor.

mod change;

pub use change::{KindChange, KindChanges};

use std::{collections::BTreeMap, fmt, sync::Arc};

use self::change::Readers;
use crate::{BuildError, Executor, ExecutorConfig, Registry, likeness::nearest_names};

/// Builds an executor of one kind.
type Factory =
    dyn Fn(&ExecutorConfig, Arc<Registry>) -> Result<Arc<dyn Executor>, BuildError> + Send + Sync;

/// The kinds of executor that a program knows, by alias.
///
/// An executor of your own becomes a name in a configuration file by
/// [`add`](Self::add)ing it here. Kinds may come and go at any time; executors that were built
/// are not touched by that.
#[derive(Clone, Default)]
pub struct ExecutorKinds {
    factories: BTreeMap<String, Arc<Factory>>,
    readers: Readers,
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
        self.insert(alias.to_owned(), Arc::new(factory));
        Ok(())
    }

    /// Takes a kind out; whether it was there.
    pub fn remove(&mut self, alias: &str) -> bool {
        let removed = self.factories.remove(alias).is_some();
        if removed {
            self.readers.tell(&KindChange::Removed(alias.to_owned()));
        }
        removed
    }

    /// Takes over all kinds of another table; those take the place of kinds with their aliases.
    pub fn extend(&mut self, other: Self) {
        for (alias, factory) in other.factories {
            self.remove(&alias);
            self.insert(alias, factory);
        }
    }

    fn insert(&mut self, alias: String, factory: Arc<Factory>) {
        self.readers.tell(&KindChange::Added(alias.clone()));
        self.factories.insert(alias, factory);
    }

    /// Reads what is added and taken out from now on.
    pub fn changes(&mut self) -> KindChanges {
        self.readers.join()
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
        let nearest = nearest_names(alias, self.aliases());
        let known = if nearest.is_empty() { self.aliases().collect() } else { nearest };
        let known = known.into_iter().map(str::to_owned).collect();
        BuildError::UnknownKind { alias: alias.to_owned(), known }
    }
}

impl fmt::Debug for ExecutorKinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.aliases()).finish()
    }
}

#[cfg(test)]
mod tests;
