//! Standard output for data, standard error for talk.

use std::{
    fmt::{self, Display},
    fs::File,
    io::{self, BufWriter, Write},
    os::fd::{AsFd, OwnedFd},
};

use outwork_core::Captured;

/// The two streams a person or script sees. Never coloured.
///
/// Both are buffered; [`flush`](Self::flush) when there is nothing more to write for now.
/// Before one stream is written, the other is flushed: where both go to the same place (`2>&1`),
/// what was written first stands first.
pub(crate) struct Output {
    stdout: Sink,
    stderr: Sink,
}

/// Which stream an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// Why output could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutputError {
    /// Whoever read our output has gone (`| head -1`): a reason to end quietly, not to complain.
    #[error("{stream} was closed by its reader")]
    Closed { stream: Stream },
    #[error("cannot write to {stream}")]
    Failed { stream: Stream, source: io::Error },
}

struct Sink {
    stream: Stream,
    writer: BufWriter<Box<dyn Write + Send>>,
}

impl Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stdout => "standard output",
            Self::Stderr => "standard error",
        })
    }
}

impl Output {
    /// The streams of this process.
    pub(crate) fn standard() -> Result<Self, OutputError> {
        let stdout = Sink::of_descriptor(Stream::Stdout, io::stdout().as_fd().try_clone_to_owned());
        let stderr = Sink::of_descriptor(Stream::Stderr, io::stderr().as_fd().try_clone_to_owned());
        Ok(Self { stdout: stdout?, stderr: stderr? })
    }

    #[cfg(test)]
    fn new(stdout: impl Write + Send + 'static, stderr: impl Write + Send + 'static) -> Self {
        let stdout = Sink::new(Stream::Stdout, Box::new(stdout));
        Self { stdout, stderr: Sink::new(Stream::Stderr, Box::new(stderr)) }
    }

    /// Writes data as it is.
    pub(crate) fn data(&mut self, bytes: &[u8]) -> Result<(), OutputError> {
        self.stderr.flush()?;
        self.stdout.write(bytes)
    }

    /// Writes what a program wrote to its two streams.
    ///
    /// With a tag (`--tag`: the input line) every line begins with the tag and a tab,
    /// and a last line without newline is given one: the next tag has to begin a line.
    pub(crate) fn program(
        &mut self,
        tag: Option<&[u8]>,
        stdout: &[u8],
        stderr: &[u8],
    ) -> Result<(), OutputError> {
        if !stdout.is_empty() {
            self.stderr.flush()?;
            self.stdout.write_tagged(tag, stdout)?;
        }
        if !stderr.is_empty() {
            self.stdout.flush()?;
            self.stderr.write_tagged(tag, stderr)?;
        }
        Ok(())
    }

    /// As [`program`](Self::program), for output that need not be in memory at once.
    pub(crate) fn captured(
        &mut self,
        tag: Option<&[u8]>,
        stdout: &Captured,
        stderr: &Captured,
    ) -> Result<(), OutputError> {
        if !stdout.is_empty() {
            self.stderr.flush()?;
            self.stdout.copy_tagged(tag, stdout)?;
        }
        if !stderr.is_empty() {
            self.stdout.flush()?;
            self.stderr.copy_tagged(tag, stderr)?;
        }
        Ok(())
    }

    /// Tells the person something, when the other talk is flushed.
    pub(crate) fn note(&mut self, message: impl Display) -> Result<(), OutputError> {
        self.stdout.flush()?;
        self.stderr.write(format!("outwork: {message}\n").as_bytes())
    }

    /// Tells the person something, at once.
    pub(crate) fn say(&mut self, message: impl Display) -> Result<(), OutputError> {
        self.note(message)?;
        self.stderr.flush()
    }

    /// Hands everything written so far to whoever reads it.
    pub(crate) fn flush(&mut self) -> Result<(), OutputError> {
        self.stdout.flush()?;
        self.stderr.flush()
    }
}

impl Sink {
    fn new(stream: Stream, writer: Box<dyn Write + Send>) -> Self {
        Self { stream, writer: BufWriter::with_capacity(64 << 10, writer) }
    }

    /// Over the descriptor itself: `io::Stdout` would look for newlines in all that passes.
    fn of_descriptor(stream: Stream, fd: io::Result<OwnedFd>) -> Result<Self, OutputError> {
        match fd {
            Ok(fd) => Ok(Self::new(stream, Box::new(File::from(fd)))),
            Err(source) => Err(OutputError::Failed { stream, source }),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), OutputError> {
        self.writer.write_all(bytes).map_err(|error| OutputError::new(self.stream, error))
    }

    fn write_tagged(&mut self, tag: Option<&[u8]>, bytes: &[u8]) -> Result<(), OutputError> {
        let Some(tag) = tag else { return self.write(bytes) };
        let mut tagged = Tagged { tag, writer: &mut self.writer, in_line: false };
        let written = tagged.write_all(bytes).and_then(|()| tagged.end());
        written.map_err(|error| OutputError::new(self.stream, error))
    }

    fn copy_tagged(&mut self, tag: Option<&[u8]>, bytes: &Captured) -> Result<(), OutputError> {
        let copied = match tag {
            None => bytes.copy_to(&mut self.writer),
            Some(tag) => {
                let mut tagged = Tagged { tag, writer: &mut self.writer, in_line: false };
                bytes.copy_to(&mut tagged).and_then(|()| tagged.end())
            }
        };
        copied.map_err(|error| OutputError::new(self.stream, error))
    }

    fn flush(&mut self) -> Result<(), OutputError> {
        self.writer.flush().map_err(|error| OutputError::new(self.stream, error))
    }
}

/// Writes a tag before each line, however the lines come in pieces.
struct Tagged<'a, W: Write> {
    tag: &'a [u8],
    writer: W,
    in_line: bool,
}

impl<W: Write> Tagged<'_, W> {
    /// Ends a last line without newline.
    fn end(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.in_line) { self.writer.write_all(b"\n") } else { Ok(()) }
    }
}

impl<W: Write> Write for Tagged<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if !self.in_line {
                self.writer.write_all(self.tag)?;
                self.writer.write_all(b"\t")?;
            }
            self.writer.write_all(piece)?;
            self.in_line = !piece.ends_with(b"\n");
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl OutputError {
    fn new(stream: Stream, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Closed { stream },
            _ => Self::Failed { stream, source: error },
        }
    }

    /// Whether this is the quiet end.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self, Self::Closed { .. })
    }
}

#[cfg(test)]
mod tests;
