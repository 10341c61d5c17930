//! Counters that belong to no queue.
//!
//! Each series is a constant, so that without a recorder counting costs a look at whether there
//! is one.

use outwork_core::State;

use crate::{connection::Role, publisher::PublishErrorKind};

/// Counts one, under a label whose value is known here.
macro_rules! count {
    ($name:literal) => {
        metrics::counter!($name).increment(1)
    };
    ($name:literal, $label:literal, $value:expr, { $($variant:pat => $text:literal),+ $(,)? }) => {
        match $value {
            $($variant => metrics::counter!($name, $label => $text).increment(1),)+
        }
    };
}

/// A message was given to a connection.
pub(crate) fn published() {
    count!("outwork_amqp_published_total");
}

/// What became of a message.
pub(crate) fn told(result: Result<(), PublishErrorKind>) {
    count!("outwork_amqp_publishes_total", "result", result, {
        Ok(()) => "confirmed",
        Err(PublishErrorKind::Returned) => "returned",
        Err(PublishErrorKind::Refused) => "refused",
        Err(PublishErrorKind::TooLarge) => "too-large",
        Err(PublishErrorKind::Unconfirmed) => "unconfirmed",
        Err(PublishErrorKind::NotSent) => "not-sent",
        Err(PublishErrorKind::Closed) => "closed",
    });
}

/// A connection that was lost is there again.
pub(crate) fn reconnected(role: Role) {
    count!("outwork_amqp_reconnects_total", "role", role, {
        Role::Publish => "publish",
        Role::Consume => "consume",
    });
}

/// A task of a client has ended.
pub(crate) fn client_ended(state: State) {
    count!("outwork_amqp_outcomes_total", "outcome", state, {
        State::Succeeded => "succeeded",
        State::Cancelled => "cancelled",
        State::TimedOut => "timed-out",
        State::Lost => "lost",
        State::Failed | State::Pending | State::Running => "failed",
    });
}

/// A client got a result of a task that had ended, or that it does not know.
pub(crate) fn late_result() {
    count!("outwork_amqp_late_results_total");
}

/// A worker had a result for a client that is gone.
pub(crate) fn result_dropped() {
    count!("outwork_amqp_dropped_results_total");
}
