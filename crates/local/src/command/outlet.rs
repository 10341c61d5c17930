//! [`Outlet`]: one output stream of a program, on its way into its sink.

use std::{
    io::{self, PipeWriter},
    mem::MaybeUninit,
    os::fd::OwnedFd,
    pin::Pin,
    task::{Context, Poll, ready},
};

use outwork_core::OutputSink;
use rustix::io::{Errno, ioctl_fionbio, ioctl_fionread, read};
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::unix::pipe::Receiver,
};

use super::launch::OutputPipe;

/// What is read at once: as much as a pipe holds.
const CHUNK: usize = 64 * 1024;
/// How many reads may follow each other before others get their turn.
const BURST: usize = 16;
/// How much of the end is kept for error messages.
const TAIL: usize = 8 * 1024;

/// One output stream of a program, on its way into its sink.
#[derive(Debug)]
pub(super) struct Outlet {
    /// This side of the pipe, until it has ended.
    pipe: Option<Receiver>,
    /// Keeps the end of the stream from being an event, until somebody [asks](Self::watch_end)
    /// for it: the end of the program is one already, and each wakes a thread.
    spare: Option<PipeWriter>,
    drain: Drain,
}

/// Where the bytes go.
#[derive(Debug)]
struct Drain {
    sink: OutputSink,
    /// The last bytes, where they are kept.
    tail: Option<Vec<u8>>,
    /// Why bytes were not kept. The program is drained all the same: it must not block.
    refused: Option<io::Error>,
}

impl Outlet {
    /// # Errors
    ///
    /// When the runtime cannot watch the pipe.
    pub(super) fn new(pipe: OutputPipe, sink: OutputSink) -> io::Result<Self> {
        let OutputPipe { reader, spare } = pipe;
        ioctl_fionbio(&reader, true)?;
        let pipe = Receiver::from_owned_fd_unchecked(OwnedFd::from(reader))?;
        let drain = Drain { sink, tail: None, refused: None };
        Ok(Self { pipe: Some(pipe), spare: Some(spare), drain })
    }

    /// Keeps the last bytes.
    pub(super) fn with_tail(mut self) -> Self {
        self.drain.tail = Some(Vec::new());
        self
    }

    /// Lets [`poll`](Self::poll) resolve at the end of the stream.
    pub(super) fn watch_end(&mut self) {
        self.spare = None;
    }

    /// Passes on what comes. Resolves when nobody can write any more, again and again, once
    /// the end is [watched](Self::watch_end).
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        for _ in 0..BURST {
            let Some(pipe) = &mut self.pipe else { return Poll::Ready(Ok(())) };
            let mut space = [const { MaybeUninit::uninit() }; CHUNK];
            let mut buffer = ReadBuf::uninit(&mut space);
            ready!(Pin::new(pipe).poll_read(cx, &mut buffer))?;
            if buffer.filled().is_empty() {
                self.pipe = None;
            } else {
                self.drain.keep(buffer.filled());
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Passes on what is there already, and no more: somebody may write for ever.
    ///
    /// # Errors
    ///
    /// When the pipe cannot be read.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        let Some(pipe) = self.pipe.take() else { return Ok(()) };
        let mut left = usize::try_from(ioctl_fionread(&pipe)?).unwrap_or(usize::MAX);
        while left > 0 {
            let mut space = [const { MaybeUninit::uninit() }; CHUNK];
            match read(&pipe, &mut space[..left.min(CHUNK)]) {
                Ok(([], _)) | Err(Errno::AGAIN) => break,
                Ok((bytes, _)) => {
                    left -= bytes.len();
                    self.drain.keep(bytes);
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The last bytes, as text.
    pub(super) fn tail(&self) -> String {
        let kept = self.drain.tail.as_deref().unwrap_or_default();
        String::from_utf8_lossy(&kept[kept.len().saturating_sub(TAIL)..]).into_owned()
    }

    /// Why bytes were not kept.
    pub(super) fn refused(&mut self) -> Option<io::Error> {
        self.drain.refused.take()
    }
}

impl Drain {
    fn keep(&mut self, bytes: &[u8]) {
        if let Some(tail) = &mut self.tail {
            tail.extend_from_slice(&bytes[bytes.len().saturating_sub(TAIL)..]);
            if tail.len() > 4 * TAIL {
                tail.drain(..tail.len() - TAIL);
            }
        }
        if self.refused.is_none() {
            self.refused = self.sink.write(bytes).err();
        }
    }
}
