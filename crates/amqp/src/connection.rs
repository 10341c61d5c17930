//! Reaching the broker, and reaching it again.

mod backoff;
mod error;
mod open;
mod options;
mod runtime;
mod shared_task;
mod supervisor;
mod url;

pub(crate) use backoff::Backoff;
pub(crate) use error::in_time;
pub use error::{ConnectError, ConnectErrorKind};
pub(crate) use open::{open, open_channel};
pub use options::ConnectOptions;
pub(crate) use runtime::Runtime;
pub(crate) use shared_task::SharedTask;
pub(crate) use supervisor::{End, Epoch, Link, Role, Session, supervise};
pub use url::BrokerUrl;
