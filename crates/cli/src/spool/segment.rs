//! The files behind the spool.
//!
//! One file that only grows would be freed when it drains empty, and a reader slower than the tasks never drains it.
//! So entries go to segments, each a file of its own that is dropped with its last entry.

use std::{collections::BTreeMap, fs::File, io, os::unix::fs::FileExt};

/// Where an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    segment: u32,
    offset: u32,
}

/// Unlinked temporary files of about one size.
#[derive(Debug)]
pub(super) struct Segments {
    /// From this length on a segment takes no more entries.
    full: u32,
    /// The newest is the one that is written.
    open: BTreeMap<u32, Segment>,
    next: u32,
}

#[derive(Debug)]
struct Segment {
    file: File,
    length: u64,
    /// Entries that have not been read.
    live: usize,
}

/// The parts of an entry: tag, standard output, standard error.
const PARTS: usize = 3;

/// Before each entry: the lengths of its parts.
const HEADER: usize = PARTS * size_of::<u64>();

impl Segments {
    /// `size` is about that of a segment; its last entry may make it longer.
    pub(super) fn new(size: u64) -> Self {
        let full = u32::try_from(size).unwrap_or(u32::MAX).max(1);
        Self { full, open: BTreeMap::new(), next: 0 }
    }

    /// Appends an entry. What a failed write left is written over by the next one.
    pub(super) fn write(&mut self, parts: [&[u8]; PARTS]) -> io::Result<Place> {
        let full = u64::from(self.full);
        if self.open.last_entry().is_none_or(|newest| newest.get().length >= full) {
            self.open_segment()?;
        }
        let mut newest = self.open.last_entry().expect("a segment was opened");
        let segment = *newest.key();
        let offset = newest.get_mut().append(parts)?;
        let offset = u32::try_from(offset).expect("a segment that is not full begins an entry");
        Ok(Place { segment, offset })
    }

    /// Reads an entry for the only time; the space of a segment is freed with its last entry.
    pub(super) fn read(&mut self, place: Place) -> io::Result<[Vec<u8>; PARTS]> {
        let segment =
            self.open.get_mut(&place.segment).expect("a segment lives while it has entries");
        let parts = segment.read(place.offset.into())?;
        segment.live -= 1;
        if segment.live == 0 {
            self.open.remove(&place.segment);
        }
        Ok(parts)
    }

    /// Bytes of all files.
    #[cfg(test)]
    pub(super) fn len(&self) -> u64 {
        self.open.values().map(|segment| segment.length).sum()
    }

    fn open_segment(&mut self) -> io::Result<()> {
        let segment = Segment { file: tempfile::tempfile()?, length: 0, live: 0 };
        self.open.insert(self.next, segment);
        self.next += 1;
        Ok(())
    }
}

impl Segment {
    fn append(&mut self, parts: [&[u8]; PARTS]) -> io::Result<u64> {
        let lengths = parts.map(|part| (part.len() as u64).to_le_bytes());
        let mut entry = lengths.concat();
        parts.iter().for_each(|part| entry.extend_from_slice(part));
        self.file.write_all_at(&entry, self.length)?;
        let offset = self.length;
        self.length += entry.len() as u64;
        self.live += 1;
        Ok(offset)
    }

    fn read(&self, offset: u64) -> io::Result<[Vec<u8>; PARTS]> {
        let mut header = [[0; 8]; PARTS];
        self.file.read_exact_at(header.as_flattened_mut(), offset)?;
        let mut parts = [const { Vec::new() }; PARTS];
        let mut at = offset + HEADER as u64;
        for (part, length) in parts.iter_mut().zip(header.map(u64::from_le_bytes)) {
            *part = self.read_bytes(at, length)?;
            at += length;
        }
        Ok(parts)
    }

    fn read_bytes(&self, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        let length = usize::try_from(length).expect("it was in memory before");
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }
}

#[cfg(test)]
impl Segments {
    /// Segments that write to `file` first.
    pub(super) fn over(file: File) -> Self {
        let first = Segment { file, length: 0, live: 0 };
        Self { full: u32::MAX, open: BTreeMap::from([(0, first)]), next: 1 }
    }
}
