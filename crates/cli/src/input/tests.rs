use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::*;

fn records(bytes: impl Read + Send + 'static, separator: Separator) -> Records {
    Records::new(Source::Stdin, separator, Reader::Bytes(Box::new(BufReader::new(bytes))))
}

#[track_caller]
fn check(input: &'static [u8], separator: Separator, expected: &[&[u8]]) {
    let got: Vec<_> = records(input, separator).map(Result::unwrap).collect();
    let numbers: Vec<_> = got.iter().map(|record| record.number).collect();
    assert_eq!(got.iter().map(Record::bytes).collect::<Vec<_>>(), expected);
    assert_eq!(numbers, (1..=expected.len() as u64).collect::<Vec<_>>());
}

/// Fails once its bytes are read.
struct Failing(&'static [u8]);

impl Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Err(io::Error::other("the disk is gone"));
        }
        self.0.read(buffer)
    }
}

/// Gives `left` bytes of two-byte lines and counts what was taken.
struct ShortLines {
    left: u64,
    taken: Arc<AtomicU64>,
}

impl Read for ShortLines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.left.min(buffer.len() as u64 & !1) as usize;
        buffer[..length].as_chunks_mut::<2>().0.fill(*b"x\n");
        self.left -= length as u64;
        self.taken.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}

#[test]
fn a_missing_file_is_an_error_with_its_name_and_cause() {
    let path = PathBuf::from("/nonexistent/list");
    let error = Records::open(Source::File(path), Separator::Newline).err().expect("no such file");
    assert!(error.to_string().contains("/nonexistent/list"), "{error}");
    let InputError::Unreadable { source, .. } = error else { panic!("{error}") };
    assert_eq!(source.kind(), io::ErrorKind::NotFound);
}

#[test]
fn a_directory_is_an_error_before_anything_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let source = Source::File(dir.path().to_path_buf());
    let error = Records::open(source, Separator::Newline).err().expect("a directory");
    let InputError::Unreadable { source, .. } = error else { panic!("{error}") };
    assert_eq!(source.kind(), io::ErrorKind::IsADirectory);
}

#[test]
fn an_error_in_the_middle_comes_after_the_whole_records_and_ends_them() {
    let mut records = records(Failing(b"a\nb\nto"), Separator::Newline);
    assert_eq!(records.next().unwrap().unwrap().bytes(), b"a");
    assert_eq!(records.next().unwrap().unwrap().bytes(), b"b");
    assert!(matches!(records.next(), Some(Err(InputError::Unreadable { .. }))));
    assert!(records.next().is_none());
}

#[test]
fn a_record_above_the_limit_is_refused_by_number() {
    let mut records = records(&b"four\nfive5\nsix"[..], Separator::Newline);
    records.max_record = 4;
    assert_eq!(records.next().unwrap().unwrap().bytes(), b"four");
    let error = records.next().unwrap().expect_err("five bytes are too long");
    assert!(matches!(error, InputError::TooLong { number: 2, max: 4, .. }), "{error}");
    assert!(records.next().is_none());
}

#[test]
fn a_last_line_of_just_the_limit_is_whole() {
    let mut records = records(&b"four"[..], Separator::Newline);
    records.max_record = 4;
    assert_eq!(records.next().unwrap().unwrap().bytes(), b"four");
    assert!(records.next().is_none());
}

#[test]
fn an_empty_input_has_no_records() {
    check(b"", Separator::Newline, &[]);
    check(b"", Separator::Nul, &[]);
}

#[test]
fn empty_lines_are_records() {
    check(b"\n", Separator::Newline, &[b""]);
    check(b"a\n\nb\n\n", Separator::Newline, &[b"a", b"", b"b", b""]);
}

#[test]
fn a_last_line_without_newline_counts() {
    check(b"a\nb", Separator::Newline, &[b"a", b"b"]);
    check(b"a\0b", Separator::Nul, &[b"a", b"b"]);
}

#[test]
fn carriage_returns_are_kept() {
    check(b"a\r\nb\r\n", Separator::Newline, &[b"a\r", b"b\r"]);
}

#[test]
fn nul_separated_records_keep_their_newlines() {
    check(b"a\nb\0c\n\0", Separator::Nul, &[b"a\nb", b"c\n"]);
}

#[test]
fn bytes_that_are_not_utf8_are_kept() {
    check(b"\xff\xfe\n\x80", Separator::Newline, &[b"\xff\xfe", b"\x80"]);
}

#[test]
fn a_line_of_a_megabyte_is_one_record() {
    let input = [&vec![b'x'; 1 << 20][..], b"\nnext\n"].concat();
    let lengths: Vec<_> = records(io::Cursor::new(input), Separator::Newline)
        .map(|record| record.unwrap().bytes().len())
        .collect();
    assert_eq!(lengths, [1 << 20, 4]);
}

#[test]
fn records_are_read_only_when_asked_for() {
    let taken = Arc::new(AtomicU64::new(0));
    let lines = ShortLines { left: 2 * 1_000_000, taken: Arc::clone(&taken) };
    let mut records = records(lines, Separator::Newline);
    for number in 1..=1_000_000u64 {
        let record = records.next().expect("a line").expect("readable");
        assert_eq!((record.number, record.bytes()), (number, &b"x"[..]));
        let ahead = taken.load(Ordering::Relaxed) - 2 * number;
        assert!(ahead <= 64 << 10, "{ahead} bytes were read ahead of record {number}");
    }
    assert!(records.next().is_none());
}

#[test]
fn no_input_is_one_run_without_a_line() {
    let mut records = Records::open(Source::NoInput, Separator::Newline).unwrap();
    assert_eq!(records.next().unwrap().unwrap(), Record { number: 1, line: None });
    assert!(records.next().is_none());
    assert!(records.next().is_none());
}

#[test]
fn a_file_is_read_from_its_beginning() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"one\ntwo").unwrap();
    let source = Source::File(file.path().to_path_buf());
    let lines: Vec<_> = Records::open(source, Separator::Newline)
        .unwrap()
        .map(|record| record.unwrap().line.unwrap())
        .collect();
    assert_eq!(lines, [b"one", b"two"]);
}

#[test]
fn a_dash_or_nothing_means_standard_input() {
    assert_eq!(Source::from_arg_file(None), Source::Stdin);
    assert_eq!(Source::from_arg_file(Some("-".into())), Source::Stdin);
    assert_eq!(Source::from_arg_file(Some("./-".into())), Source::File("./-".into()));
}

#[test]
fn only_standard_input_can_wait_for_a_person() {
    assert_eq!(Source::NoInput.terminal_notice(), None);
    assert_eq!(Source::File("/dev/tty".into()).terminal_notice(), None);
}
