//! Where the output of a task goes, and what is kept of it.

mod captured;
mod sink;
mod target;

pub use captured::Captured;
pub use sink::OutputSink;
pub use target::{CapturePlace, StreamTarget};
