//! [`Outbox`]: many frames in few writes.

use std::{collections::VecDeque, io::IoSlice};

use bytes::{Buf, Bytes};

use super::Header;

/// From here on a body goes out of the buffer that it lies in, and so is not copied.
const LARGE: usize = 16 * 1024;

/// How many pieces one write takes at most.
const PIECES: usize = 16;

/// Frames that were not written yet.
#[derive(Debug, Default)]
pub(in super::super) struct Outbox {
    pieces: VecDeque<Bytes>,
    /// What comes after the pieces, of small frames.
    small: Vec<u8>,
    /// How much of it was written already.
    written: usize,
    length: usize,
}

impl Outbox {
    /// Adds a frame; the length in the header is set to that of the body.
    pub(in super::super) fn push(&mut self, header: Header, body: &[&[u8]]) {
        self.begin(header, body.iter().map(|part| part.len()).sum());
        for part in body {
            self.small.extend_from_slice(part);
            self.length += part.len();
        }
    }

    /// Adds a frame whose body ends with bytes that may be many.
    pub(in super::super) fn push_shared(&mut self, header: Header, head: &[&[u8]], tail: &Bytes) {
        let head_length: usize = head.iter().map(|part| part.len()).sum();
        self.begin(header, head_length + tail.len());
        for part in head {
            self.small.extend_from_slice(part);
        }
        if tail.len() < LARGE {
            self.small.extend_from_slice(tail);
        } else {
            self.close_small();
            self.pieces.push_back(tail.clone());
        }
        self.length += head_length + tail.len();
    }

    fn begin(&mut self, mut header: Header, body: usize) {
        header.length = u32::try_from(body).expect("bodies were checked against the limit");
        self.small.extend_from_slice(&header.to_bytes());
        self.length += Header::LENGTH;
    }

    fn close_small(&mut self) {
        if self.written < self.small.len() {
            let mut small = Bytes::from(std::mem::take(&mut self.small));
            small.advance(std::mem::take(&mut self.written));
            self.pieces.push_back(small);
        }
    }

    /// How many bytes there are to be written.
    pub(in super::super) const fn len(&self) -> usize {
        self.length
    }

    pub(in super::super) const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Calls a function with what one write can take.
    pub(in super::super) fn write_with<T>(&self, write: impl FnOnce(&[IoSlice<'_>]) -> T) -> T {
        let small = &self.small[self.written..];
        if self.pieces.is_empty() {
            return write(&[IoSlice::new(small)]);
        }
        let pieces = self.pieces.iter().take(PIECES).map(|piece| IoSlice::new(piece));
        let mut slices: Vec<_> = pieces.collect();
        if self.pieces.len() < PIECES {
            slices.push(IoSlice::new(small));
        }
        write(&slices)
    }

    /// Forgets what was written.
    pub(in super::super) fn advance(&mut self, mut written: usize) {
        self.length -= written;
        while let Some(piece) = self.pieces.front_mut() {
            if written < piece.len() {
                return piece.advance(written);
            }
            written -= piece.len();
            self.pieces.pop_front();
        }
        self.written += written;
        if self.written == self.small.len() {
            self.small.clear();
            self.written = 0;
        }
    }
}
