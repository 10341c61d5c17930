use std::{ffi::OsString, fs, os::unix::ffi::OsStringExt};

use proptest::{collection::vec, prelude::*};
use tempfile::TempDir;

use super::*;

const HEADER_TEXT: &str =
    "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n";

/// A joblog's path in a directory of its own.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn with(content: impl AsRef<[u8]>) -> Self {
        let place = Self::new();
        fs::write(place.path(), content).unwrap();
        place
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("log")
    }

    fn content(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }

    fn resume(&self, resume: Resume) -> (JobLog, Logged) {
        JobLog::resume(&self.path(), resume).unwrap()
    }
}

fn echo(arg: &[u8]) -> CommandLine {
    CommandLine::new("echo".into(), vec![OsString::from_vec(arg.to_vec())])
}

fn append(log: &JobLog, seq: u64, end: JobEnd, command: &CommandLine) {
    let started = SystemTime::UNIX_EPOCH + Duration::from_millis(1_360_490_623_067);
    let runtime = Duration::from_millis(3_445);
    let entry = Entry { seq, host: ":", started, runtime, received: 1222, end, command };
    log.append(&entry).unwrap();
}

fn line(seq: u64, exitval: i32, signal: i32, command: &str) -> String {
    format!("{seq}\t:\t1360490623.067\t     3.445\t0\t1222\t{exitval}\t{signal}\t{command}\n")
}

fn log_of(lines: &[String]) -> String {
    [HEADER_TEXT.to_string(), lines.concat()].concat()
}

#[test]
fn a_file_that_is_no_joblog_is_refused_and_left_alone() {
    for content in ["x", "Seq,Host\n", &HEADER_TEXT.replace("Send", "Sent"), "\n"] {
        let place = Place::with(content);
        let path = place.path();
        let created = JobLog::create(&path).expect_err("not a joblog");
        let resumed = JobLog::resume(&path, Resume::SkipLogged).expect_err("not a joblog");
        assert!(matches!(created, JobLogError::NotAJobLog { .. }), "{created:?}");
        assert!(matches!(resumed, JobLogError::NotAJobLog { .. }), "{resumed:?}");
        assert!(created.to_string().contains(path.to_str().unwrap()), "{created}");
        assert_eq!(place.content(), content);
    }
}

#[test]
fn a_joblog_that_cannot_be_opened_is_an_error_with_its_name() {
    let path = Path::new("/nonexistent/log");
    for error in [
        JobLog::create(path).expect_err("no such directory"),
        JobLog::resume(path, Resume::SkipLogged).expect_err("no such directory"),
    ] {
        assert!(matches!(error, JobLogError::Open { .. }), "{error:?}");
        assert!(error.to_string().contains("/nonexistent/log"), "{error}");
    }
}

#[test]
fn a_full_disk_is_an_error_with_the_name_of_the_log() {
    let error = JobLog::create(Path::new("/dev/full")).expect_err("the device is full");
    assert!(matches!(error, JobLogError::Write { .. }), "{error:?}");
    assert!(error.to_string().contains("/dev/full"), "{error}");
}

#[test]
fn a_device_is_written_and_never_read() {
    JobLog::create(Path::new("/dev/null")).unwrap();
    let (_, logged) = JobLog::resume(Path::new("/dev/null"), Resume::SkipLogged).unwrap();
    assert_eq!(logged, Logged::default());
}

#[test]
fn the_columns_are_those_of_gnu_parallel() {
    let place = Place::new();
    let log = JobLog::create(&place.path()).unwrap();
    append(&log, 1, JobEnd::Exited(0), &echo(b"a"));
    append(&log, 2, JobEnd::Signalled(9), &echo(b"b c"));
    append(&log, 3, JobEnd::TimedOut, &echo(b"d"));
    let lines = [line(1, 0, 0, "echo a"), line(2, 0, 9, "echo 'b c'"), line(3, -1, 15, "echo d")];
    assert_eq!(place.content(), log_of(&lines));
}

#[test]
fn a_host_is_one_column_whatever_it_is_called() {
    let place = Place::new();
    let log = JobLog::create(&place.path()).unwrap();
    let (started, runtime) = (SystemTime::UNIX_EPOCH, Duration::ZERO);
    let (end, command) = (JobEnd::Exited(0), &echo(b"a"));
    let entry = Entry { seq: 1, host: "a b\tc\nd", started, runtime, received: 0, end, command };
    log.append(&entry).unwrap();
    assert!(place.content().contains("1\ta_b_c_d\t0.000\t     0.000\t0\t0\t0\t0\techo a\n"));
}

#[test]
fn creating_replaces_an_earlier_joblog() {
    let place = Place::with(log_of(&[line(1, 0, 0, "echo old")]));
    let log = JobLog::create(&place.path()).unwrap();
    append(&log, 1, JobEnd::Exited(0), &echo(b"new"));
    assert_eq!(place.content(), log_of(&[line(1, 0, 0, "echo new")]));
}

#[test]
fn resuming_without_a_log_starts_one() {
    for place in [Place::new(), Place::with(""), Place::with("Seq\tHo")] {
        let (log, logged) = place.resume(Resume::SkipLogged);
        append(&log, 1, JobEnd::Exited(0), &echo(b"a"));
        assert_eq!(logged, Logged::default());
        assert_eq!(place.content(), log_of(&[line(1, 0, 0, "echo a")]));
    }
}

#[test]
fn resuming_appends_and_skips_what_is_logged_even_if_it_failed() {
    let first = [line(1, 0, 0, "echo a"), line(3, 1, 0, "echo c"), line(4, 0, 9, "echo d")];
    let place = Place::with(log_of(&first));
    let (log, logged) = place.resume(Resume::SkipLogged);
    assert!(logged.skips(1, &echo(b"a")));
    assert!(!logged.skips(2, &echo(b"b")));
    assert!(logged.skips(3, &echo(b"c")));
    assert!(logged.skips(4, &echo(b"d")));
    append(&log, 2, JobEnd::Exited(0), &echo(b"b"));
    assert_eq!(place.content(), log_of(&[first.concat(), line(2, 0, 0, "echo b")]));
}

#[test]
fn resuming_failed_runs_skips_only_what_succeeded_at_some_time() {
    let lines = [
        line(1, 0, 0, "echo a"),
        line(2, 1, 0, "echo b"),
        line(3, 0, 9, "echo c"),
        line(4, -1, 15, "echo d"),
        line(5, 1, 0, "echo e"),
        line(5, 0, 0, "echo e"),
    ];
    let (_, logged) = Place::with(log_of(&lines)).resume(Resume::SkipSucceeded);
    let skipped = [(1, b"a"), (2, b"b"), (3, b"c"), (4, b"d"), (5, b"e")]
        .map(|(seq, arg)| logged.skips(seq, &echo(arg)));
    assert_eq!(skipped, [true, false, false, false, true]);
}

#[test]
fn a_run_is_skipped_only_when_number_and_command_match() {
    let (_, logged) = Place::with(log_of(&[line(1, 0, 0, "echo a")])).resume(Resume::SkipLogged);
    assert!(!logged.skips(1, &echo(b"b")));
    assert!(!logged.skips(2, &echo(b"a")));
    assert!(!logged.skips(1, &CommandLine::new("echo a".into(), vec![])));
}

#[test]
fn a_torn_last_line_is_ignored_and_the_next_line_starts_afresh() {
    let whole = line(1, 0, 0, "echo a");
    let second = line(2, 0, 0, "echo b");
    for length in 1..second.len() {
        let torn = &second[..length];
        let place = Place::with(log_of(&[whole.clone(), torn.to_string()]));

        let (log, logged) = place.resume(Resume::SkipLogged);
        assert!(logged.skips(1, &echo(b"a")));
        assert!(!logged.skips(2, &echo(b"b")), "torn at {torn:?}");
        assert_eq!(logged.unreadable(), 1);

        append(&log, 2, JobEnd::Exited(0), &echo(b"b"));
        assert_eq!(place.content(), log_of(&[whole.clone(), format!("{torn}\n"), second.clone()]));
        let (_, logged) = place.resume(Resume::SkipLogged);
        assert!(logged.skips(1, &echo(b"a")) && logged.skips(2, &echo(b"b")));
    }
}

#[test]
fn garbled_lines_are_counted_and_never_skip_a_run() {
    let garbled =
        ["", "x", "1\t:\t0", "one\t:\t0\t0\t0\t0\t0\t0\techo a", "1\t:\t0\t0\t0\t0\t\t0\tz"];
    let content = [HEADER_TEXT, &garbled.join("\n"), "\n"].concat();
    let (_, logged) = Place::with(content).resume(Resume::SkipLogged);
    assert_eq!(logged.unreadable(), garbled.len() as u64);
    assert!(!logged.skips(1, &echo(b"a")));
}

#[test]
fn a_command_with_tabs_and_newlines_is_one_line_and_matches_again() {
    let place = Place::new();
    let command = echo(b"a\tb\n9\t:\t\xff");
    append(&JobLog::create(&place.path()).unwrap(), 1, JobEnd::Exited(0), &command);
    assert_eq!(place.content().lines().count(), 2);
    let (_, logged) = place.resume(Resume::SkipLogged);
    assert!(logged.skips(1, &command));
    assert_eq!(logged.unreadable(), 0);
}

#[test]
fn a_log_that_gnu_parallel_wrote_is_understood() {
    let lines = ["1\t:\t1795231677.937\t     0.003\t0\t2\t0\t0\techo a\n".to_string()];
    let (_, logged) = Place::with(log_of(&lines)).resume(Resume::SkipSucceeded);
    assert!(logged.skips(1, &echo(b"a")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_was_logged_is_skipped(commands in vec(vec(any::<u8>(), 0..12), 1..8)) {
        let place = Place::new();
        let log = JobLog::create(&place.path()).unwrap();
        for (seq, arg) in commands.iter().enumerate() {
            append(&log, seq as u64, JobEnd::Exited(0), &echo(arg));
        }
        let (_, logged) = place.resume(Resume::SkipSucceeded);
        for (seq, arg) in commands.iter().enumerate() {
            prop_assert!(logged.skips(seq as u64, &echo(arg)));
        }
    }
}
