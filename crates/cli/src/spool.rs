//! Outputs in input order, with bounded memory and disk.

mod segment;

use std::{collections::VecDeque, env, io, path::PathBuf};

use self::segment::{Place, Segments};

/// How much a [`Spool`] may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Bytes of memory, half for outputs and half for the index of all entries.
    pub(crate) memory: usize,
    /// Bytes of output, in memory and file together, from which nothing more is to be admitted.
    pub(crate) outstanding: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: 64 << 20, outstanding: 1 << 30 }
    }
}

/// A task that ended. `S` is what the reader needs beside the output; it stays in memory, so keep it small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finished<S> {
    /// The place in the order, from 0 without gaps.
    pub(crate) index: u64,
    /// What `--tag` puts before each line, empty without it. Here, because input lines may be long.
    pub(crate) tag: Vec<u8>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) status: S,
}

/// Takes tasks as they end and gives them back in the order of their index.
///
/// Outputs are held in memory up to the limit and then in unlinked temporary files,
/// of which at most 24 bytes an entry stay in memory when `S` has at most 8.
/// Ask [`has_room`](Self::has_room) before a task is started, after everything ready was popped:
/// what is started already may still bring its output above the limits.
#[derive(Debug)]
pub(crate) struct Spool<S> {
    limits: Limits,
    /// The index whose turn it is, that of `slots[0]`.
    turn: u64,
    slots: VecDeque<Slot<S>>,
    /// Memory of the entries in [`Entry::Held`].
    held: usize,
    /// Bytes in all entries, of [`Finished::len`].
    outstanding: u64,
    segments: Segments,
}

/// `None` until the task has ended.
type Slot<S> = Option<Entry<S>>;

#[derive(Debug)]
enum Entry<S> {
    Held(Box<Finished<S>>),
    Spooled { place: Place, status: S },
}

/// The file behind a [`Spool`] failed.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot keep finished output in a temporary file in {dir:?}; \
     set TMPDIR to a directory with room, or give --unordered to need none"
)]
pub(crate) struct SpoolError {
    dir: PathBuf,
    source: io::Error,
}

impl<S> Spool<S> {
    /// Only an entry that needs it makes a file.
    pub(crate) fn new(limits: Limits) -> Self {
        let segments = Segments::new(limits.outstanding / 16);
        Self { limits, turn: 0, slots: VecDeque::new(), held: 0, outstanding: 0, segments }
    }

    /// Whether one more task may be started.
    ///
    /// Always true when nothing is waiting for its turn, so that a small limit cannot stop the run.
    pub(crate) fn has_room(&self) -> bool {
        let index_has_room = self.slots.len() < self.limits.slots::<S>();
        self.slots.is_empty() || (index_has_room && self.outstanding < self.limits.outstanding)
    }

    /// Takes a task that ended.
    ///
    /// # Panics
    ///
    /// When its index was inserted before.
    pub(crate) fn insert(&mut self, finished: Finished<S>) -> Result<(), SpoolError> {
        let position = self.position(finished.index);
        if position >= self.slots.len() {
            self.slots.resize_with(position + 1, || None);
        }
        assert!(self.slots[position].is_none(), "a task ends once");
        let len = finished.len();
        self.slots[position] = Some(self.store(finished)?);
        self.outstanding += len;
        Ok(())
    }

    /// Gives the task whose turn it is, if it has ended.
    pub(crate) fn pop(&mut self) -> Result<Option<Finished<S>>, SpoolError> {
        let Some(entry) = self.slots.pop_front_if(|slot| slot.is_some()).flatten() else {
            return Ok(None);
        };
        let index = self.turn;
        self.turn += 1;
        let finished = self.restore(index, entry)?;
        self.outstanding -= finished.len();
        Ok(Some(finished))
    }

    /// Bytes of memory in use, the index included.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        self.held + self.slots.capacity() * size_of::<Slot<S>>()
    }

    /// Bytes of temporary files in use.
    #[cfg(test)]
    pub(crate) fn disk(&self) -> u64 {
        self.segments.len()
    }

    fn position(&self, index: u64) -> usize {
        let position = index.checked_sub(self.turn).expect("a task ends once");
        usize::try_from(position).expect("as many tasks as have ended fit in memory")
    }

    /// What will be popped at once need not go to a file, however large it is.
    fn store(&mut self, finished: Finished<S>) -> Result<Entry<S>, SpoolError> {
        let memory = finished.memory();
        if finished.index == self.turn || self.held + memory <= self.limits.held() {
            self.held += memory;
            return Ok(Entry::Held(Box::new(finished)));
        }
        let Finished { tag, stdout, stderr, status, .. } = finished;
        let place = self.segments.write([&tag, &stdout, &stderr])?;
        Ok(Entry::Spooled { place, status })
    }

    fn restore(&mut self, index: u64, entry: Entry<S>) -> Result<Finished<S>, SpoolError> {
        match entry {
            Entry::Held(finished) => {
                self.held -= finished.memory();
                Ok(*finished)
            }
            Entry::Spooled { place, status } => {
                let [tag, stdout, stderr] = self.segments.read(place)?;
                Ok(Finished { index, tag, stdout, stderr, status })
            }
        }
    }
}

impl Limits {
    fn held(self) -> usize {
        self.memory / 2
    }

    /// Half of what their half of the memory could hold: a growing `VecDeque` may be twice its length.
    fn slots<S>(self) -> usize {
        self.memory / 4 / size_of::<Slot<S>>()
    }
}

impl<S> Finished<S> {
    fn len(&self) -> u64 {
        (self.tag.len() + self.stdout.len() + self.stderr.len()) as u64
    }

    /// Memory this takes when held, with what an allocator adds to four allocations.
    fn memory(&self) -> usize {
        let bytes = self.tag.capacity() + self.stdout.capacity() + self.stderr.capacity();
        bytes + size_of::<Self>() + 4 * 16
    }
}

impl From<io::Error> for SpoolError {
    fn from(source: io::Error) -> Self {
        Self { dir: env::temp_dir(), source }
    }
}

#[cfg(test)]
mod tests;
