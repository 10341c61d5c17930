//! [`Decoder`]: frames out of bytes, however these were split or merged.

use bytes::Bytes;

use super::{Header, Raw, WireError};

/// How much is read at once. Many frames of small tasks fit.
const READ: usize = 128 * 1024;

/// From here on a body is read into a buffer of its own, and so not copied.
const LARGE: usize = 32 * 1024;

/// The most that is taken from the allocator for a body before its bytes have come.
const TRUST: usize = 1024 * 1024;

/// Makes frames of bytes.
///
/// After an error it is of no more use: where the next frame begins is not known.
#[derive(Debug)]
pub(in super::super) struct Decoder {
    limit: usize,
    buffer: Vec<u8>,
    /// How much of the buffer was made into frames already.
    taken: usize,
    /// A large frame of which not everything is there.
    large: Option<Large>,
}

#[derive(Debug)]
struct Large {
    header: Header,
    body: Vec<u8>,
}

impl Decoder {
    /// A decoder that refuses bodies longer than `limit`.
    pub(in super::super) fn new(limit: usize) -> Self {
        Self { limit, buffer: Vec::with_capacity(READ), taken: 0, large: None }
    }

    /// Sets how long a body may be from now on.
    pub(in super::super) const fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Where bytes are to be appended to, with room for some.
    pub(in super::super) fn space(&mut self) -> &mut Vec<u8> {
        if let Some(Large { header, body }) = &mut self.large {
            let missing = (header.length as usize).saturating_sub(body.len());
            body.reserve_exact(missing.clamp(1, TRUST));
            return body;
        }
        if self.taken == self.buffer.len() {
            self.buffer.clear();
            self.taken = 0;
        } else if self.taken > 0 {
            self.buffer.drain(..self.taken);
            self.taken = 0;
        }
        if self.buffer.len() == self.buffer.capacity() {
            self.buffer.reserve(READ);
        }
        &mut self.buffer
    }

    /// Takes bytes that are at hand already.
    pub(in super::super) fn feed(&mut self, bytes: &[u8]) {
        self.space().extend_from_slice(bytes);
    }

    /// The next frame, if all of it has come.
    ///
    /// # Errors
    ///
    /// When the bytes are not the protocol.
    pub(in super::super) fn next(&mut self) -> Result<Option<Raw>, WireError> {
        if self.large.is_some() {
            return Ok(self.next_large());
        }
        let rest = &self.buffer[self.taken..];
        let Some((header, rest)) = rest.split_first_chunk() else { return Ok(None) };
        let header = Header::from_bytes(header)?;
        let length = header.length as usize;
        if length > self.limit {
            return Err(WireError::TooLong { length: header.length, limit: self.limit });
        }
        if let Some(body) = rest.get(..length) {
            let body = Bytes::copy_from_slice(body);
            self.taken += Header::LENGTH + length;
            return Ok(Some(Raw { header, body }));
        }
        if length >= LARGE {
            let mut body = Vec::with_capacity(length.min(TRUST));
            body.extend_from_slice(rest);
            self.taken = self.buffer.len();
            self.large = Some(Large { header, body });
        }
        Ok(None)
    }

    fn next_large(&mut self) -> Option<Raw> {
        let Large { header, mut body } = self.large.take()?;
        let length = header.length as usize;
        if body.len() < length {
            self.large = Some(Large { header, body });
            return None;
        }
        // A buffer may have had more room than it was asked for.
        let beyond = body.split_off(length);
        self.buffer.clear();
        self.taken = 0;
        self.buffer.extend_from_slice(&beyond);
        Some(Raw { header, body: Bytes::from(body) })
    }
}
