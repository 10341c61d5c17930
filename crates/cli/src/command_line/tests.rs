use std::{os::unix::ffi::OsStringExt, process::Command};

use proptest::{collection::vec, prelude::*};

use super::*;

fn command(argv: &[&[u8]]) -> CommandLine {
    let mut argv = argv.iter().map(|arg| OsString::from_vec(arg.to_vec()));
    CommandLine::new(argv.next().expect("a program"), argv.collect())
}

#[track_caller]
fn check(argv: &[&[u8]], expected: &str) {
    assert_eq!(command(argv).to_string(), expected);
}

/// Arguments that a careless quoting would change.
const AWKWARD: &[&[u8]] = &[
    b"",
    b" ",
    b"'",
    b"\\",
    b"\\'",
    b"a\nb",
    b"\t",
    b"$HOME",
    b"`id`",
    b"~",
    b"*",
    b"{a,b}",
    b"\xff\xfe0",
    b"\x01f",
    b"\x7f",
    "grüß dich".as_bytes(),
    "\u{85}\u{2028}".as_bytes(),
    b"'\n'",
    b"--key=value",
    b"key=~",
    b"#",
    b"!!",
];

#[test]
fn plain_words_stay_as_they_are() {
    check(&[b"echo", b"a.txt", b"--level=3", b"x:y,z@+_/-"], "echo a.txt --level=3 x:y,z@+_/-");
}

#[test]
fn what_a_shell_would_touch_is_quoted() {
    check(&[b"echo", b"b c", b"$x", b"", b"it's"], r"echo 'b c' '$x' '' 'it'\''s'");
    check(&[b"A=1", b"=ls", b"%1"], "'A=1' '=ls' '%1'");
}

#[test]
fn tabs_newlines_and_other_controls_are_escaped() {
    check(&[b"echo", b"a\tb\nc\r\x1b[m\\'"], r"echo $'a\tb\nc\r\x1b[m\\\''");
}

#[test]
fn bytes_that_are_not_utf8_are_escaped_and_text_beside_them_is_not() {
    check(&[b"rm", b"caf\xc3\xa9-\xff0"], r"rm $'café-\xff0'");
}

#[test]
fn a_shell_reads_the_same_arguments_back() {
    let mut argv: Vec<&[u8]> = vec![b"printf", br"%s\0"];
    argv.extend(AWKWARD);
    let script = command(&argv).to_string();
    let output = Command::new("bash").arg("-c").arg(script).output().expect("bash runs");
    let expected: Vec<u8> = AWKWARD.iter().flat_map(|arg| [arg, &b"\0"[..]].concat()).collect();
    assert_eq!(output.stdout, expected);
}

/// Arguments from the few bytes where two quotings could meet.
fn awkward_argv() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let byte = prop::sample::select(b" '\\$nx1\n\xff\xc3\xa9".to_vec());
    vec(vec(byte, 0..4), 1..4)
}

proptest! {
    #[test]
    fn different_commands_are_written_differently(a in awkward_argv(), b in awkward_argv()) {
        let write = |argv: &[Vec<u8>]| command(&argv.iter().map(Vec::as_slice).collect::<Vec<_>>()).to_string();
        prop_assert_eq!(a == b, write(&a) == write(&b));
    }

    #[test]
    fn any_command_is_one_line_without_tabs(argv in vec(vec(any::<u8>(), 0..20), 1..4)) {
        let line = command(&argv.iter().map(Vec::as_slice).collect::<Vec<_>>()).to_string();
        prop_assert!(!line.contains(char::is_control));
    }
}
