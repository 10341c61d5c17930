//! [`OutputSink`]: where a running task writes.

use std::{
    fs::File,
    io::{self, Write},
    sync::Arc,
};

use tempfile::SpooledTempFile;

use super::{CapturePlace, Captured, StreamTarget};
use crate::{sync::Mutex, waiters::lock};

/// One stream of one attempt. Clones write to the same place.
///
/// Once the attempt is over, what is written goes nowhere:
/// a body that was given up cannot write into the output of the next attempt.
#[derive(Clone)]
pub struct OutputSink {
    state: Arc<Mutex<State>>,
}

enum State {
    Discard,
    Memory { spool: SpooledTempFile, kept: u64, limit: Option<u64>, overflowed: bool },
    File { file: File, written: u64 },
    Writer { writer: Box<dyn Write + Send>, written: u64 },
}

impl OutputSink {
    /// Opens a sink for a target.
    ///
    /// # Errors
    ///
    /// When the target's file cannot be opened.
    pub fn open(target: Option<&StreamTarget>, place: CapturePlace<'_>) -> io::Result<Self> {
        let state = match target.unwrap_or(&StreamTarget::memory()) {
            StreamTarget::Discard => State::Discard,
            StreamTarget::Memory { in_memory, limit } => State::Memory {
                spool: SpooledTempFile::new(*in_memory),
                kept: 0,
                limit: *limit,
                overflowed: false,
            },
            StreamTarget::File { path } => State::File { file: place.open(path)?, written: 0 },
        };
        Ok(Self { state: Arc::new(Mutex::new(state)) })
    }

    /// A sink that passes everything on, as the link of a child process to its parent does.
    pub fn from_writer(writer: impl Write + Send + 'static) -> Self {
        let state = State::Writer { writer: Box::new(writer), written: 0 };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Writes all bytes, or as many as the target keeps.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        match &mut *lock(&self.state) {
            State::Discard => Ok(()),
            State::File { file, written } => {
                *written += bytes.len() as u64;
                file.write_all(bytes)
            }
            State::Writer { writer, written } => {
                *written += bytes.len() as u64;
                writer.write_all(bytes)
            }
            State::Memory { spool, kept, limit, overflowed } => {
                let room = limit.map_or(u64::MAX, |limit| limit - *kept);
                let fits = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
                *overflowed |= fits < bytes.len();
                *kept += fits as u64;
                spool.write_all(&bytes[..fits])
            }
        }
    }

    /// Ends the stream and gives what was kept.
    ///
    /// The second value is the limit, when more was written than it allows.
    #[must_use]
    pub fn close(&self) -> (Captured, Option<u64>) {
        match std::mem::replace(&mut *lock(&self.state), State::Discard) {
            State::Discard => (Captured::default(), None),
            State::File { written, .. } | State::Writer { written, .. } => {
                (Captured::elsewhere(written), None)
            }
            State::Memory { spool, kept, limit, overflowed } => {
                (Captured::from_spool(spool, kept), limit.filter(|_| overflowed))
            }
        }
    }
}

impl std::fmt::Debug for OutputSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OutputSink")
    }
}

impl Write for OutputSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Self::write(self, bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::Metadata;

    fn sink(target: &StreamTarget) -> OutputSink {
        let metadata = Metadata::new();
        let place = CapturePlace { results_dir: Path::new("/nowhere"), metadata: &metadata };
        OutputSink::open(Some(target), place).unwrap()
    }

    #[test]
    fn what_does_not_fit_into_memory_is_kept_on_disk() {
        let sink = sink(&StreamTarget::Memory { in_memory: 4, limit: None });
        for _ in 0..100 {
            sink.write(b"\xff0123456789").unwrap();
        }
        let (captured, over) = sink.close();
        assert_eq!((captured.len(), over), (1100, None));
        assert_eq!(&captured.bytes().unwrap()[1088..], b"9\xff0123456789".as_slice());
        let ends = captured.ends(3).unwrap();
        assert_eq!((&ends.0[..], &ends.1[..]), (&b"\xff01"[..], &b"789"[..]));
        assert_eq!((captured.ends(2000).unwrap().0.len(), captured.kept()), (1100, 1100));
    }

    #[test]
    fn the_head_is_kept_when_the_limit_passes() {
        let sink = sink(&StreamTarget::limited(5));
        sink.write(b"0123").unwrap();
        sink.write(b"4567").unwrap();
        let (captured, over) = sink.close();
        assert_eq!((&captured.bytes().unwrap()[..], over), (&b"01234"[..], Some(5)));
    }

    #[test]
    fn a_body_that_was_given_up_writes_nowhere() {
        let sink = sink(&StreamTarget::memory());
        let _ = sink.close();
        sink.write(b"late").unwrap();
        assert!(sink.close().0.is_empty());
    }

    #[test]
    fn a_file_is_appended_to_and_its_folder_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/out");
        for _ in 0..2 {
            let sink = sink(&StreamTarget::file(&path));
            sink.write(b"x").unwrap();
            assert_eq!(sink.close().0.len(), 1);
        }
        assert_eq!(std::fs::read(path).unwrap(), b"xx");
    }
}
