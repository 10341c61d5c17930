use std::{
    fs::OpenOptions,
    sync::{Arc, Mutex},
};

use super::*;

/// A writer whose bytes can be looked at; clones write to the same place.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn pages() -> (Output, Page, Page) {
    let (stdout, stderr) = (Page::default(), Page::default());
    (Output::new(stdout.clone(), stderr.clone()), stdout, stderr)
}

#[track_caller]
fn check_tagged(written: &[u8], expected: &str) {
    let (mut output, stdout, stderr) = pages();
    output.program(Some(b"in"), written, written).unwrap();
    output.flush().unwrap();
    assert_eq!((stdout.text(), stderr.text()), (expected.into(), expected.into()));
}

#[test]
fn a_reader_that_has_gone_is_a_quiet_end() {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let mut output = Output::new(writer, io::sink());
    output.data(b"line\n").unwrap();
    let error = output.flush().expect_err("nobody reads");
    assert!(matches!(error, OutputError::Closed { stream: Stream::Stdout }), "{error:?}");
    assert!(error.is_closed());
}

#[test]
fn a_reader_of_the_talk_that_has_gone_is_a_quiet_end_too() {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let error = Output::new(io::sink(), writer).say("hello").expect_err("nobody reads");
    assert!(matches!(error, OutputError::Closed { stream: Stream::Stderr }), "{error:?}");
}

#[test]
fn a_full_disk_is_an_error_that_names_the_stream() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut output = Output::new(full, io::sink());
    output.data(b"x").unwrap();
    let error = output.flush().expect_err("the device is full");
    assert!(!error.is_closed());
    assert_eq!(error.to_string(), "cannot write to standard output");
}

#[test]
fn writes_are_buffered_until_flushed() {
    let (mut output, stdout, _) = pages();
    output.data(b"a\n").unwrap();
    assert_eq!(stdout.text(), "");
    output.flush().unwrap();
    assert_eq!(stdout.text(), "a\n");
}

#[test]
fn what_is_said_is_seen_at_once_and_only_on_stderr() {
    let (mut output, stdout, stderr) = pages();
    output.say("waiting").unwrap();
    assert_eq!((stdout.text(), stderr.text()), (String::new(), "outwork: waiting\n".into()));
}

#[test]
fn in_one_place_both_streams_keep_their_order() {
    let page = Page::default();
    let mut output = Output::new(page.clone(), page.clone());
    output.program(None, b"o1\n", b"e1\n").unwrap();
    output.program(None, b"o2\n", b"").unwrap();
    output.say("said").unwrap();
    output.data(b"data\n").unwrap();
    output.program(None, b"", b"e3\n").unwrap();
    output.data(b"more\n").unwrap();
    output.flush().unwrap();
    assert_eq!(page.text(), "o1\ne1\no2\noutwork: said\ndata\ne3\nmore\n");
}

#[test]
fn without_a_tag_bytes_pass_unchanged() {
    let (mut output, stdout, stderr) = pages();
    output.program(None, b"no newline", b"\x00\x1b[1m").unwrap();
    output.flush().unwrap();
    assert_eq!((&stdout.text()[..], &stderr.text()[..]), ("no newline", "\x00\x1b[1m"));
}

#[test]
fn every_line_is_tagged_on_both_streams() {
    check_tagged(b"a\nb\n", "in\ta\nin\tb\n");
    check_tagged(b"a\n\n", "in\ta\nin\t\n");
    check_tagged(b"a\tb\n", "in\ta\tb\n");
}

#[test]
fn a_tagged_last_line_without_newline_is_ended() {
    check_tagged(b"a\nb", "in\ta\nin\tb\n");
}

#[test]
fn nothing_written_is_not_tagged() {
    check_tagged(b"", "");
}

#[test]
fn a_tag_that_is_not_utf8_is_kept() {
    let page = Page::default();
    let mut output = Output::new(page.clone(), io::sink());
    output.program(Some(b"\xff"), b"a\n", b"").unwrap();
    output.flush().unwrap();
    assert_eq!(*page.0.lock().unwrap(), b"\xff\ta\n");
}
