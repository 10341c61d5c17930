//! [`PublishError`]: what became of a message that was not confirmed.

/// Why a message was not confirmed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct PublishError {
    kind: PublishErrorKind,
    message: String,
}

/// What can become of a message that is not confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PublishErrorKind {
    /// No queue was there to take it; it came back.
    Returned,
    /// The queue is full.
    Refused,
    /// It is larger than messages may be.
    TooLarge,
    /// It was sent, and whether it arrived is not known.
    Unconfirmed,
    /// It was not sent: the broker was away, or took no messages, for too long.
    NotSent,
    /// The publisher is closed.
    Closed,
}

impl PublishError {
    fn new(kind: PublishErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(crate) const fn kind(&self) -> PublishErrorKind {
        self.kind
    }

    pub(super) fn returned(exchange: &str, key: &str, why: &str) -> Self {
        let message = format!(
            "the broker has no queue for {key:?} behind exchange {exchange:?} ({why}): \
             was it deleted?"
        );
        Self::new(PublishErrorKind::Returned, message)
    }

    pub(super) fn refused(key: &str) -> Self {
        let message = format!("the broker refused a message for {key:?}: its queue is full");
        Self::new(PublishErrorKind::Refused, message)
    }

    pub(super) fn too_large(size: usize, limit: usize) -> Self {
        let message = format!("the message has {size} bytes, and at most {limit} are allowed");
        Self::new(PublishErrorKind::TooLarge, message)
    }

    pub(super) fn unconfirmed() -> Self {
        let message = "the message was sent and not confirmed in time: it may have arrived";
        Self::new(PublishErrorKind::Unconfirmed, message)
    }

    pub(crate) fn not_sent(blocked: bool) -> Self {
        let message = if blocked {
            "the broker takes no messages, for want of memory or disk"
        } else {
            "the broker could not be reached in time"
        };
        Self::new(PublishErrorKind::NotSent, message)
    }

    pub(crate) fn unwritable(why: &str) -> Self {
        Self::new(PublishErrorKind::NotSent, format!("the message cannot be written: {why}"))
    }

    pub(crate) fn closed() -> Self {
        Self::new(PublishErrorKind::Closed, "the connection was closed for good")
    }
}
