use crate::support::Place;

const SCRIPT: &str = "echo $0 >> ran; [ $0 != 2 ]";

fn exec(place: &Place, options: &[&str], input: &str) -> i32 {
    let args = [&["exec", "--joblog", "log"], options, &["--", "sh", "-c", SCRIPT]].concat();
    place.run(args, input).code
}

fn seq_and_exitval(place: &Place) -> Vec<(String, String)> {
    let column = |line: &str, at: usize| line.split('\t').nth(at).unwrap().to_owned();
    place.read("log").lines().skip(1).map(|line| (column(line, 0), column(line, 6))).collect()
}

#[test]
fn the_joblog_holds_every_run_that_ended() {
    let place = Place::new();
    assert_eq!(exec(&place, &["-j1"], "1\n2\n3\n"), 1);
    let expected = [("1", "0"), ("2", "1"), ("3", "0")].map(|(n, e)| (n.into(), e.into()));
    assert_eq!(seq_and_exitval(&place), expected);
}

#[test]
fn a_resumed_run_passes_over_what_was_logged_with_the_same_command() {
    let place = Place::new();
    exec(&place, &[], "1\n2\n3\n");
    let ran = |options: &[&str], input: &str| {
        place.write("ran", "");
        exec(&place, options, input);
        place.read("ran")
    };
    assert_eq!(ran(&["--resume"], "1\n2\n3\n4\n"), "4\n");
    assert_eq!(ran(&["--resume-failed"], "1\n2\n3\n4\n"), "2\n");
    assert_eq!(ran(&["--resume"], "1\nother\n3\n4\n"), "other\n");
}

#[test]
fn a_torn_last_line_is_run_again() {
    let place = Place::new();
    exec(&place, &["-j1"], "1\n3\n");
    let log = place.read("log");
    place.write("log", &log[..log.len() - 3]);
    place.write("ran", "");
    assert_eq!(exec(&place, &["--resume"], "1\n3\n"), 0);
    assert_eq!(place.read("ran"), "3\n");
}

#[test]
fn results_are_files() {
    let place = Place::new();
    let script = "echo out; echo err >&2; exit 3";
    place.run(["exec", "--results", "a/b", "--", "sh", "-c", script], "x\n");
    let read = |name: &str| place.read(&format!("a/b/1/{name}"));
    assert_eq!(["stdout", "stderr", "exitval"].map(read), ["out\n", "err\n", "3\n"]);
}

#[test]
fn nothing_runs_when_it_could_not_be_recorded() {
    let place = Place::new();
    place.write("file", "not a joblog\n");
    for (option, value) in
        [("--results", "file/x"), ("--joblog", "no/such/dir/log"), ("--joblog", "file")]
    {
        let ran = place.run(["exec", option, value, "--", "touch"], "ran\n");
        assert_eq!(ran.code, 2, "{option} {value}: {}", ran.stderr);
        assert!(!place.path("ran").exists());
    }
    assert_eq!(place.read("file"), "not a joblog\n");
}
