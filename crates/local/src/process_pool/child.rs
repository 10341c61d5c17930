//! The side of the child: a process that runs one task after the other.

mod captured;
mod entry;
mod groups;
mod host;
mod inbox;
mod link;
mod logs;
mod runner;
mod watch;

pub(super) use entry::{DEPTH_LIMIT, MARKER, depth, is_unentered_worker};
pub use entry::{is_worker, worker_entry};
