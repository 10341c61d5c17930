//! What a pool and its children say to each other, without any I/O.
//!
//! A frame is a [`Header`] of fixed size and a body. The [`Decoder`] makes frames of bytes,
//! however these were split or merged on the way; the [`Outbox`] makes few writes of many frames;
//! the [`Ledger`] is what a pool knows of the tasks that a child has, and which frames about
//! them can be true; the [`journal`] keeps what a child had not sent yet when it died.

mod decoder;
mod frame;
mod header;
mod hello;
pub(super) mod journal;
mod ledger;
mod outbox;
#[cfg(test)]
mod tests;

pub(super) use decoder::Decoder;
pub(super) use frame::{Extras, FromChild, LogRecord, Raw, TaskFrame, ToChild};
pub(super) use header::{Header, Kind};
pub(super) use hello::{Hello, Ready, fingerprint};
pub(super) use ledger::Ledger;
pub(super) use outbox::Outbox;

/// What came on a channel is not the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum WireError {
    /// No frame begins so.
    #[error("{0:#04x} is not a kind of frame")]
    UnknownKind(u8),
    /// The frame is longer than allowed.
    #[error("a frame of {length} bytes is longer than the {limit} that are allowed")]
    TooLong {
        /// How long it says it is.
        length: u32,
        /// How long it may be.
        limit: usize,
    },
    /// The body is not what the kind has.
    #[error("the body of a frame of kind {kind:?} cannot be read: {reason}")]
    BadBody {
        /// The kind.
        kind: Kind,
        /// What is the matter with it.
        reason: String,
    },
    /// The frame is of the other direction.
    #[error("a frame of kind {0:?} does not go in this direction")]
    WrongDirection(Kind),
    /// The frame cannot be true of what the child has.
    #[error("the child says {what} of task {seq}, which it {state}")]
    Untrue {
        /// What the frame says.
        what: &'static str,
        /// The task that it says it of.
        seq: u64,
        /// Why that cannot be.
        state: &'static str,
    },
}

/// Reads bytes as both sides would, for the fuzz target.
#[cfg(fuzzing)]
pub(super) fn fuzz(bytes: &[u8]) {
    let Some((at_once, bytes)) = bytes.split_first() else { return };
    let (mut ours, mut theirs) = (Decoder::new(1 << 16), Decoder::new(1 << 16));
    for read in bytes.chunks(usize::from(*at_once).max(1)) {
        ours.feed(read);
        theirs.feed(read);
        while let Ok(Some(raw)) = ours.next() {
            let _ = FromChild::read(raw);
        }
        while let Ok(Some(raw)) = theirs.next() {
            let _ = ToChild::read(&raw);
        }
    }
    let _ = journal::unread(bytes, 8);
}
