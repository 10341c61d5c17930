use std::{fs::File, io::Write, process::Stdio};

use crate::{
    screen::Terminal,
    support::{Place, outwork, seq},
};

#[test]
fn a_person_is_told_that_input_is_awaited() {
    for (args, hint) in [
        (&["exec", "--", "echo"][..], "give a file with -a, or --no-input for a single run"),
        (&["map", "demo.echo"][..], "give a file with -a\r\n"),
    ] {
        let (mut terminal, tty) = Terminal::open();
        let place = Place::new();
        let mut command = place.command(args);
        command.stdin(tty.try_clone().unwrap()).stdout(Stdio::piped()).stderr(tty);
        let child = command.spawn().unwrap();
        drop(command);
        terminal.shows("reading input lines from the terminal");
        terminal.shows(hint);
        // Ctrl-D
        terminal.keyboard.write_all(b"7\n\x04").unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(String::from_utf8(output.stdout).unwrap().contains('7'));
        assert_eq!(output.status.code(), Some(0));
    }
}

#[test]
fn a_bar_is_shown_on_a_terminal_and_nowhere_else() {
    let place = Place::new();
    place.write("lines", seq(30));
    let args = ["exec", "--bar", "-a", "lines", "--", "sh", "-c", "[ $0 != 3 ]"];
    let (mut terminal, tty) = Terminal::open();
    let mut command = place.command(args);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(tty);
    let child = command.spawn().unwrap();
    drop(command);
    terminal.shows("30/30");
    terminal.shows("1 failed");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(1));
    let ran = place.run(args, "");
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
}

#[test]
fn a_long_run_whose_output_goes_to_a_file_shows_a_bar() {
    let place = Place::new();
    place.write("lines", seq(10));
    let (mut terminal, tty) = Terminal::open();
    let args = ["exec", "-j1", "-a", "lines", "--", "sh", "-c", "sleep 0.3; echo $0"];
    let mut command = place.command(args);
    let out = File::create(place.path("out")).unwrap();
    command.stdin(Stdio::null()).stdout(out).stderr(tty);
    let child = command.spawn().unwrap();
    drop(command);
    terminal.shows("10/10");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
    assert_eq!(place.read("out"), seq(10));
}

#[test]
fn there_is_no_colour_off_a_terminal() {
    for args in [&["--help"][..], &["exec", "--help"], &["exek"], &["run", "nope"], &["tasks"]] {
        let ran = outwork(args, "");
        assert!(!ran.stdout.contains('\x1b') && !ran.stderr.contains('\x1b'), "{args:?}");
    }
}
