//! [`Chunks`]: input in pieces of whole lines, for those who read millions.

use std::io::{self, BufRead};

use bytes::{Bytes, BytesMut};

use crate::input::{InputError, Source};

/// The lines of an input, each time as many whole ones as were there to read.
///
/// After an error there is nothing more.
pub(crate) struct Chunks {
    source: Source,
    reader: Option<Box<dyn BufRead + Send>>,
    /// The beginning of a line whose end was not there yet.
    begun: BytesMut,
    max_line: usize,
    /// Lines given so far.
    lines: u64,
}

/// A longer line is refused: an input without newlines would fill the memory.
const MAX_LINE: usize = 64 << 20;

impl Chunks {
    /// Opens the input, so that what cannot be read is known before anything runs.
    pub(crate) fn open(source: Source) -> Result<Self, InputError> {
        let reader = source.reader()?;
        Ok(Self::new(source, reader, MAX_LINE))
    }

    fn new(source: Source, reader: Box<dyn BufRead + Send>, max_line: usize) -> Self {
        Self { source, reader: Some(reader), begun: BytesMut::new(), max_line, lines: 0 }
    }

    /// Bytes that end with a newline, except at the end of the input.
    fn read(&mut self) -> Result<Option<Bytes>, InputError> {
        while let Some(reader) = &mut self.reader {
            let bytes = match reader.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.source.unreadable(error)),
                Ok(bytes) => bytes,
            };
            if bytes.is_empty() {
                self.reader = None;
                let last = std::mem::take(&mut self.begun).freeze();
                return Ok((!last.is_empty()).then_some(last));
            }
            let read = bytes.len();
            let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let mut lines = BytesMut::new();
            if whole > 0 {
                lines = std::mem::take(&mut self.begun);
                lines.extend_from_slice(&bytes[..whole]);
            }
            self.begun.extend_from_slice(&bytes[whole..]);
            reader.consume(read);
            self.lines += lines.iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
            if self.begun.len() > self.max_line {
                return Err(self.source.too_long(self.lines + 1, self.max_line));
            }
            if !lines.is_empty() {
                return Ok(Some(lines.freeze()));
            }
        }
        Ok(None)
    }
}

impl Iterator for Chunks {
    type Item = Result<Bytes, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.read().transpose();
        if !matches!(next, Some(Ok(_))) {
            self.reader = None;
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor};

    use super::*;

    fn chunks(text: &'static str, buffer: usize, max_line: usize) -> Chunks {
        let reader = BufReader::with_capacity(buffer, Cursor::new(text));
        Chunks::new(Source::Stdin, Box::new(reader), max_line)
    }

    #[test]
    fn no_line_is_cut_whatever_the_buffer() {
        for text in ["", "\n", "a", "a\n", "one\ntwo\n\nthree", "one\ntwo\n"] {
            for buffer in 1..12 {
                let chunks: Vec<_> = chunks(text, buffer, 99).map(Result::unwrap).collect();
                assert_eq!(chunks.concat(), text.as_bytes());
                let (last, others) =
                    chunks.split_last().map_or((None, &[][..]), |(l, o)| (Some(l), o));
                assert!(others.iter().all(|chunk| chunk.ends_with(b"\n")), "{chunks:?}");
                assert!(last.is_none_or(|chunk| !chunk.is_empty()));
            }
        }
    }

    #[test]
    fn a_line_that_would_fill_the_memory_is_refused_by_its_number() {
        let mut chunks = chunks("one\ntwo\nthreeeee", 2, 5);
        let error = chunks.by_ref().find_map(Result::err).unwrap();
        assert!(error.to_string().contains("record 3"), "{error}");
        assert!(chunks.next().is_none());
    }
}
