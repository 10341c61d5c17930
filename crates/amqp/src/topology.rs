//! What there is on the broker: names, exchanges, queues, and how a mismatch is explained.

mod declare;
mod ladder;
mod mismatch;
mod names;
mod objects;

pub(crate) use declare::{declare_client, declare_worker, delete_queue, verify_queue, was_deleted};
pub(crate) use ladder::{LEVELS, LONGEST};
pub(crate) use names::Prefix;
pub use names::{InvalidName, QueueName};
pub(crate) use objects::DELIVERY_LIMIT;
pub use objects::QueueKind;
