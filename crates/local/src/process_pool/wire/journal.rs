//! What a child keeps of its words while they are not sent, so that they survive it.
//!
//! A child gathers frames before it writes them. Were they only in its memory, a crash would
//! take the results of finished tasks with it. So before the next body begins, what is gathered
//! goes into a file that only the two processes have, at a quarter of the price of a write to
//! the socket. The file says where in the stream of all bytes its frames begin: who has read
//! the stream to its end knows what to take from the file.
//!
//! ```text
//! 0   8     where the frames begin, counted from the first byte of the stream
//! 8   …     the frames, and after them the end: a header of zeros
//! ```

use super::{Header, Kind};

/// Where the frames begin.
const FRAMES: usize = 8;

/// How long the file gets: one page, so that a write of it is whole or was not made.
pub(in super::super) const CAPACITY: usize = 4096;

/// How much can be gathered.
pub(in super::super) const ROOM: usize = CAPACITY - FRAMES - Header::LENGTH;

/// The end of the frames; no kind of frame is 0.
const END: [u8; Header::LENGTH] = [0; Header::LENGTH];

/// What is to be written into the file, and where.
///
/// `frames` is what is gathered, `known` how much of it from the beginning is in the file.
/// A fresh page, of which nothing is known, is written with the place in the stream.
pub(in super::super) fn entry(
    into: &mut Vec<u8>,
    base: u64,
    frames: &[u8],
    known: Option<usize>,
) -> u64 {
    into.clear();
    let offset = match known {
        Some(known) => {
            into.extend_from_slice(&frames[known..]);
            FRAMES + known
        }
        None => {
            into.extend_from_slice(&base.to_le_bytes());
            into.extend_from_slice(frames);
            0
        }
    };
    into.extend_from_slice(&END);
    offset as u64
}

/// The part of a journal that was not read from the stream, of which `received` bytes were.
///
/// What does not look like a journal gives nothing.
pub(in super::super) fn unread(journal: &[u8], received: u64) -> &[u8] {
    let Some((base, frames)) = journal.split_first_chunk::<FRAMES>() else { return &[] };
    let base = u64::from_le_bytes(*base);
    let frames = &frames[..length(frames)];
    let Some(known) = received.checked_sub(base) else { return &[] };
    usize::try_from(known).ok().and_then(|known| frames.get(known..)).unwrap_or_default()
}

/// The number of the task that the child has begun last, or 0: no task after it has begun,
/// whatever came through the channel, because a page is written before each body.
pub(in super::super) fn begun(journal: &[u8]) -> u64 {
    let frames = journal.get(FRAMES..).unwrap_or_default();
    let starts = headers(frames).filter(|(header, _)| header.kind == Kind::Started);
    starts.last().map_or(0, |(header, _)| header.seq)
}

/// How long the whole frames are, up to the end.
fn length(frames: &[u8]) -> usize {
    headers(frames).last().map_or(0, |(_, end)| end)
}

/// The headers of the whole frames, up to the end, and where each frame ends.
fn headers(frames: &[u8]) -> impl Iterator<Item = (Header, usize)> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let (header, _) = frames.get(start..)?.split_first_chunk()?;
        let header = Header::from_bytes(header).ok()?;
        start += Header::LENGTH + header.length as usize;
        (start <= frames.len()).then_some((header, start))
    })
}
