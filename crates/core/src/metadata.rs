//! [`Metadata`]: what the caller wants to be told again.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

/// A map from text to text that travels with the task, unchanged.
///
/// The same map is seen by setup, body, teardown, events and the caller. Cloning shares it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metadata {
    entries: Option<Arc<BTreeMap<String, String>>>,
}

impl Metadata {
    /// A map with nothing in it, which costs nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { entries: None }
    }

    /// The value under a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.entries.as_ref()?.get(key).map(String::as_str)
    }

    /// The same map with one more entry.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        let entries = self.entries.get_or_insert_default();
        Arc::make_mut(entries).insert(key.into(), value.into());
        self
    }

    /// All entries in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().flat_map(|map| map.iter()).map(|(k, v)| (k.as_str(), v.as_str()))
    }

    /// The dispatch and node that the task belongs to, where a workflow engine said so.
    #[must_use]
    pub fn dispatch(&self) -> Option<DispatchInfo> {
        Some(DispatchInfo {
            dispatch_id: self.get(DispatchInfo::DISPATCH_ID)?.to_owned(),
            node_id: self.get(DispatchInfo::NODE_ID).map(str::to_owned),
        })
    }

    /// The same map with the dispatch and the node in it.
    #[must_use]
    pub fn with_dispatch(self, info: &DispatchInfo) -> Self {
        let map = self.with(DispatchInfo::DISPATCH_ID, &info.dispatch_id);
        match &info.node_id {
            Some(node) => map.with(DispatchInfo::NODE_ID, node),
            None => map,
        }
    }
}

/// The run of a workflow that a task belongs to, and its place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DispatchInfo {
    /// The run. Relative capture files lie in a folder of this name.
    pub dispatch_id: String,
    /// The place in the run.
    pub node_id: Option<String>,
}

impl DispatchInfo {
    const DISPATCH_ID: &'static str = "dispatch_id";
    const NODE_ID: &'static str = "node_id";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dispatch_info_survives_the_map() {
        let info = DispatchInfo { dispatch_id: "run-7".to_owned(), node_id: Some("3".to_owned()) };
        assert_eq!(Metadata::new().with_dispatch(&info).dispatch(), Some(info));
        assert_eq!(Metadata::new().dispatch(), None);
    }

    #[test]
    fn adding_to_a_copy_leaves_the_original_alone() {
        let one = Metadata::new().with("a", "1");
        let two = one.clone().with("b", "2");
        assert_eq!((one.iter().count(), two.iter().count()), (1, 2));
    }
}
