//! What executors tell about their tasks while they run.

mod filter;
mod hub;
mod stream;
mod task_event;

pub use filter::EventFilter;
pub use hub::EventHub;
pub use stream::{EventStream, Lagged, Listener};
pub use task_event::{EventKind, TaskEvent};
