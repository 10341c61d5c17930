//! [`Captured`]: what was kept of a stream.

use std::{
    borrow::Cow,
    fmt,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    sync::Arc,
};

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tempfile::{SpooledData, SpooledTempFile};

use crate::{sync::Mutex, waiters::lock};

/// The output of one attempt: bytes in memory or in an unlinked file. Cloning shares them.
///
/// It is there for every task, also when nothing was written and when the task failed.
#[derive(Clone, Default)]
pub struct Captured {
    place: Place,
    len: u64,
}

#[derive(Clone)]
enum Place {
    Memory(Bytes),
    Disk(Arc<Mutex<File>>),
    Elsewhere,
}

impl Default for Place {
    fn default() -> Self {
        Self::Memory(Bytes::new())
    }
}

impl Captured {
    /// Bytes that were captured by other means.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { len: bytes.len() as u64, place: Place::Memory(bytes) }
    }

    pub(super) fn from_spool(spool: SpooledTempFile, len: u64) -> Self {
        let place = match spool.into_inner() {
            SpooledData::InMemory(cursor) => Place::Memory(Bytes::from(cursor.into_inner())),
            SpooledData::OnDisk(file) => Place::Disk(Arc::new(Mutex::new(file))),
        };
        Self { place, len }
    }

    /// `len` bytes went to a file that somebody else owns.
    pub(super) const fn elsewhere(len: u64) -> Self {
        Self { place: Place::Elsewhere, len }
    }

    /// How many bytes were written, also when they went to a file of the caller's.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing was written.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many of the bytes are here, and not in a file of the caller's.
    #[must_use]
    pub const fn kept(&self) -> u64 {
        match &self.place {
            Place::Memory(_) | Place::Disk(_) => self.len,
            Place::Elsewhere => 0,
        }
    }

    /// At most `max` bytes from the beginning, and as many from the end, without having the rest
    /// in memory. They overlap when there are less than twice as many.
    ///
    /// # Errors
    ///
    /// When the unlinked file cannot be read.
    pub fn ends(&self, max: usize) -> io::Result<(Bytes, Bytes)> {
        match &self.place {
            Place::Memory(bytes) => {
                let max = max.min(bytes.len());
                Ok((bytes.slice(..max), bytes.slice(bytes.len() - max..)))
            }
            Place::Elsewhere => Ok((Bytes::new(), Bytes::new())),
            Place::Disk(file) => {
                let mut file = lock(file);
                let mut head = Vec::new();
                file.seek(SeekFrom::Start(0))?;
                (&mut *file).take(max as u64).read_to_end(&mut head)?;
                Ok((head.into(), self.read_tail(&mut file, max).into()))
            }
        }
    }

    /// All bytes; none when they went to a file of the caller's.
    ///
    /// # Errors
    ///
    /// When the unlinked file cannot be read.
    pub fn bytes(&self) -> io::Result<Bytes> {
        match &self.place {
            Place::Memory(bytes) => Ok(bytes.clone()),
            Place::Elsewhere => Ok(Bytes::new()),
            Place::Disk(file) => {
                let mut file = lock(file);
                file.seek(SeekFrom::Start(0))?;
                let mut all = Vec::with_capacity(usize::try_from(self.len).unwrap_or(0));
                file.read_to_end(&mut all)?;
                Ok(all.into())
            }
        }
    }

    /// Writes all bytes to `out` without having them in memory at once.
    ///
    /// # Errors
    ///
    /// When the unlinked file cannot be read or `out` cannot be written.
    pub fn copy_to(&self, out: &mut (impl io::Write + ?Sized)) -> io::Result<()> {
        match &self.place {
            Place::Memory(bytes) => out.write_all(bytes),
            Place::Elsewhere => Ok(()),
            Place::Disk(file) => {
                let mut file = lock(file);
                file.seek(SeekFrom::Start(0))?;
                io::copy(&mut *file, out).map(drop)
            }
        }
    }

    /// The last `max` bytes as text; what is not UTF-8 is replaced.
    #[must_use]
    pub fn tail(&self, max: usize) -> String {
        let tail = match &self.place {
            Place::Memory(bytes) => Cow::Borrowed(&bytes[bytes.len().saturating_sub(max)..]),
            Place::Elsewhere => return String::new(),
            Place::Disk(file) => Cow::Owned(self.read_tail(&mut lock(file), max)),
        };
        String::from_utf8_lossy(&tail).into_owned()
    }

    fn read_tail(&self, file: &mut File, max: usize) -> Vec<u8> {
        let mut tail = Vec::new();
        let start = self.len.saturating_sub(max as u64);
        // A tail is for a message about something that failed already: nothing beats no tail.
        if file.seek(SeekFrom::Start(start)).is_ok() {
            let _ = file.take(max as u64).read_to_end(&mut tail);
        }
        tail
    }

    /// All bytes as text; what is not UTF-8 is replaced.
    ///
    /// # Errors
    ///
    /// When the unlinked file cannot be read.
    pub fn text(&self) -> io::Result<String> {
        self.bytes().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// The bytes travel with it; those that went to a file of the caller's stay there.
impl Serialize for Captured {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        let bytes = self.bytes().map_err(serde::ser::Error::custom)?;
        (self.len, bytes).serialize(writer)
    }
}

impl<'de> Deserialize<'de> for Captured {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let (len, bytes) = <(u64, Bytes)>::deserialize(reader)?;
        let elsewhere = bytes.is_empty() && len > 0;
        let place = if elsewhere { Place::Elsewhere } else { Place::Memory(bytes) };
        Ok(Self { place, len })
    }
}

impl fmt::Debug for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match self.place {
            Place::Memory(_) => "in memory",
            Place::Disk(_) => "on disk",
            Place::Elsewhere => "in a file",
        };
        write!(f, "Captured({} bytes {place})", self.len)
    }
}
