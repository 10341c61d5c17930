//! [`Inlet`]: bytes on their way into the standard input of a program.

use std::{
    io,
    os::fd::OwnedFd,
    pin::Pin,
    process::ChildStdin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use rustix::io::{Errno, ioctl_fionbio, write};
use tokio::{io::AsyncWrite, net::unix::pipe::Sender};

/// Bytes on their way into the standard input of a program, which is closed after the last.
#[derive(Debug, Default)]
pub(super) struct Inlet {
    /// This side of the pipe, until it is closed.
    pipe: Option<Sender>,
    bytes: Bytes,
}

impl Inlet {
    /// A little input fits into the pipe, and the runtime never hears of it.
    ///
    /// # Errors
    ///
    /// When the pipe cannot be written, or the runtime cannot watch it.
    pub(super) fn new(pipe: Option<ChildStdin>, mut bytes: Bytes) -> io::Result<Self> {
        let Some(pipe) = pipe else { return Ok(Self::default()) };
        ioctl_fionbio(&pipe, true)?;
        while !bytes.is_empty() {
            match write(&pipe, &bytes) {
                Ok(written) => bytes.advance(written),
                Err(Errno::AGAIN) => {
                    let pipe = Sender::from_owned_fd_unchecked(OwnedFd::from(pipe))?;
                    return Ok(Self { pipe: Some(pipe), bytes });
                }
                Err(Errno::INTR) => {}
                Err(Errno::PIPE) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Self::default())
    }

    /// Writes what the program takes, and resolves when it has all, again and again.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(pipe) = &mut self.pipe {
            match ready!(Pin::new(pipe).poll_write(cx, &self.bytes)) {
                Ok(written) => self.bytes.advance(written),
                // The program wants no more, which is its own affair.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.bytes.clear(),
                Err(error) => return Poll::Ready(Err(error)),
            }
            if self.bytes.is_empty() {
                self.pipe = None;
            }
        }
        Poll::Ready(Ok(()))
    }
}
