//! Where a body in a child writes.

use std::{
    io::{self, Write},
    sync::Arc,
};

use bytes::Bytes;

use super::{super::wire::FromChild, link::Link};

/// The longest piece of output in one frame.
const PIECE: usize = 64 * 1024;

/// One of the two.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    /// Lets go of what the standard library holds back.
    pub(super) fn flush(self) {
        // Nobody listens when this fails, as when the pool is gone.
        let _ = match self {
            Self::Stdout => io::stdout().flush(),
            Self::Stderr => io::stderr().flush(),
        };
    }
}

/// Writes to the stream of the process itself, which the pool captures.
pub(super) struct Printed(pub(super) Stream);

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0 {
            Stream::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(bytes)?;
                stdout.flush()?;
            }
            Stream::Stderr => io::stderr().write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sends what is written to the pool, in the name of one task.
pub(super) struct Sent {
    pub(super) stream: Stream,
    pub(super) seq: u64,
    pub(super) link: Arc<Link>,
}

impl Write for Sent {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = &bytes[..bytes.len().min(PIECE)];
        let (seq, bytes) = (self.seq, Bytes::copy_from_slice(piece));
        self.link.say(&match self.stream {
            Stream::Stdout => FromChild::Stdout { seq, bytes },
            Stream::Stderr => FromChild::Stderr { seq, bytes },
        });
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
