//! The input records of `exec` and `map`: one run for each.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, IsTerminal, Read},
    os::fd::AsFd,
    path::PathBuf,
};

/// Where the records come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Standard input: no `-a`, or `-a -`.
    Stdin,
    /// `-a FILE`.
    File(PathBuf),
    /// `--no-input`: one run without a line.
    NoInput,
}

/// What ends a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Separator {
    #[default]
    Newline,
    /// `-0`.
    Nul,
}

/// One input line: a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// From 1.
    pub(crate) number: u64,
    /// The bytes without their separator; a `\r` before it is kept. `None` only with `--no-input`.
    pub(crate) line: Option<Vec<u8>>,
}

/// The records of a source, read when asked for.
///
/// Empty lines are records, and so is a last line without a separator.
/// Memory is one read buffer and the record being read, whatever the size of the input.
/// After an error there are no more records.
pub(crate) struct Records {
    source: Source,
    separator: Separator,
    reader: Reader,
    max_record: usize,
    /// Records given so far.
    count: u64,
}

enum Reader {
    Bytes(Box<dyn BufRead + Send>),
    /// What `--no-input` still has to give.
    OneRun,
    Ended,
}

/// Longer records are refused: an input without separators would fill the memory.
const MAX_RECORD: usize = 64 << 20;

/// Told to a person whose terminal we are reading from.
const TERMINAL_NOTICE: &str =
    "reading input lines from the terminal; end them with Ctrl-D, or give a file with -a";

/// Why the input could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    #[error("cannot read the input {origin}")]
    Unreadable { origin: Source, source: io::Error },
    #[error(
        "record {number} of the input {origin} is longer than {max} bytes; \
         is the separator the right one (-0 for NUL)? Put what is larger in a file and give its name"
    )]
    TooLong { origin: Source, number: u64, max: usize },
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stdin => f.write_str("from standard input"),
            Self::File(path) => write!(f, "file {path:?}"),
            Self::NoInput => f.write_str("(none)"),
        }
    }
}

impl Source {
    /// What `-a` names: a file, or standard input when it is absent or `-`.
    pub(crate) fn from_arg_file(path: Option<PathBuf>) -> Self {
        match path {
            Some(path) if path.as_os_str() != "-" => Self::File(path),
            _ => Self::Stdin,
        }
    }

    /// What to tell on stderr before waiting, when a person may not know that we wait for them.
    pub(crate) fn terminal_notice(&self) -> Option<&'static str> {
        let waits_for_person = *self == Self::Stdin && io::stdin().is_terminal();
        waits_for_person.then_some(TERMINAL_NOTICE)
    }

    /// Opens it for those who read it in their own way; `--no-input` reads as empty.
    pub(crate) fn reader(&self) -> Result<Box<dyn BufRead + Send>, InputError> {
        match self.open().map_err(|error| self.unreadable(error))? {
            Reader::Bytes(reader) => Ok(reader),
            Reader::OneRun | Reader::Ended => Ok(Box::new(io::empty())),
        }
    }

    fn open(&self) -> io::Result<Reader> {
        match self {
            Self::Stdin => open_file(File::from(io::stdin().as_fd().try_clone_to_owned()?)),
            Self::File(path) => open_file(File::open(path)?),
            Self::NoInput => Ok(Reader::OneRun),
        }
    }

    pub(crate) fn unreadable(&self, source: io::Error) -> InputError {
        InputError::Unreadable { origin: self.clone(), source }
    }

    pub(crate) fn too_long(&self, number: u64, max: usize) -> InputError {
        InputError::TooLong { origin: self.clone(), number, max }
    }
}

/// A file or directory is read ahead once, because opening one that cannot be read may succeed.
/// A pipe or terminal is not: that would wait for its first line.
fn open_file(file: File) -> io::Result<Reader> {
    let kind = file.metadata()?.file_type();
    let mut reader = BufReader::with_capacity(64 << 10, file);
    if kind.is_file() || kind.is_dir() {
        reader.fill_buf()?;
    }
    Ok(Reader::Bytes(Box::new(reader)))
}

impl Separator {
    fn byte(self) -> u8 {
        match self {
            Self::Newline => b'\n',
            Self::Nul => b'\0',
        }
    }
}

impl Record {
    /// The line, empty where there is none.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.line.as_deref().unwrap_or_default()
    }
}

impl Records {
    /// Opens `source`, so that what cannot be read is known before anything runs.
    pub(crate) fn open(source: Source, separator: Separator) -> Result<Self, InputError> {
        match source.open() {
            Ok(reader) => Ok(Self::new(source, separator, reader)),
            Err(error) => Err(source.unreadable(error)),
        }
    }

    fn new(source: Source, separator: Separator, reader: Reader) -> Self {
        Self { source, separator, reader, max_record: MAX_RECORD, count: 0 }
    }

    fn read(&mut self) -> Result<Option<Record>, InputError> {
        let line = match &mut self.reader {
            Reader::Ended => return Ok(None),
            Reader::OneRun => {
                self.reader = Reader::Ended;
                None
            }
            Reader::Bytes(reader) => {
                match read_line(reader, self.separator.byte(), self.max_record) {
                    Ok(Line::Whole(line)) => Some(line),
                    Ok(Line::End) => return Ok(None),
                    Ok(Line::TooLong) => {
                        return Err(self.source.too_long(self.count + 1, self.max_record));
                    }
                    Err(source) => return Err(self.source.unreadable(source)),
                }
            }
        };
        self.count += 1;
        Ok(Some(Record { number: self.count, line }))
    }
}

impl Iterator for Records {
    type Item = Result<Record, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.read().transpose();
        if !matches!(next, Some(Ok(_))) {
            self.reader = Reader::Ended;
        }
        next
    }
}

enum Line {
    Whole(Vec<u8>),
    TooLong,
    End,
}

fn read_line(reader: &mut impl BufRead, separator: u8, max: usize) -> io::Result<Line> {
    let mut line = Vec::new();
    // One byte more than a full record: its separator, or the proof that it is too long.
    let taken = reader.take(max as u64 + 1).read_until(separator, &mut line)?;
    if line.last() == Some(&separator) {
        line.pop();
    }
    Ok(match taken {
        0 => Line::End,
        _ if line.len() > max => Line::TooLong,
        _ => Line::Whole(line),
    })
}

#[cfg(test)]
mod tests;
