//! [`Priority`]: which waiting task goes first.

use serde::{Deserialize, Serialize};

/// Which of the waiting tasks goes first.
///
/// Three levels, because that is what every executor can really keep.
/// Within a level tasks start in the order of their submission.
/// A lower level is never starved: now and then one of its tasks goes first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// After everything else.
    Low,
    /// The usual.
    #[default]
    Normal,
    /// Before everything else.
    High,
}
