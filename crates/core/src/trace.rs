//! [`TraceContext`]: the caller's trace, handed on.

use serde::{Deserialize, Serialize};

/// The caller's place in a distributed trace, in the words of the W3C's Trace Context.
///
/// Outwork carries it and does not read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceContext {
    /// The header `traceparent`.
    pub traceparent: String,
    /// The header `tracestate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracestate: Option<String>,
}
