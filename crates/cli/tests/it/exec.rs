use std::os::unix::ffi::OsStringExt;

use crate::support::{Place, Ran, outwork, seq};

#[track_caller]
fn check(args: &[&str], input: impl AsRef<[u8]>, stdout: &str) {
    let args = [&["exec"], args].concat();
    let expected = Ran { stdout: stdout.into(), stderr: String::new(), code: 0 };
    assert_eq!(outwork(&args, input), expected);
}

#[test]
fn a_line_is_one_argument_whatever_it_holds() {
    for line in
        ["a  b", "it's \"quoted\"", ";", "$(touch oops)", "`id`", "*", "\\", "-n", "", "ä\t"]
    {
        check(&["--", "printf", "<%s>"], format!("{line}\n"), &format!("<{line}>"));
    }
}

#[test]
fn bytes_that_are_no_text_arrive() {
    let mut args: Vec<_> = ["exec", "--no-input", "--", "printf", "%s"].map(Into::into).into();
    args.push(std::ffi::OsString::from_vec(b"\xffx".to_vec()));
    let ran = Place::new().command(&args).output().unwrap();
    assert_eq!(ran.stdout, b"\xffx");
}

#[test]
fn nul_separated_input_may_hold_newlines() {
    check(&["-0", "--", "printf", "<%s>"], "a\nb\0c\0", "<a\nb><c>");
}

#[test]
fn only_the_tokens_are_replaced_and_other_braces_are_not() {
    check(&["--", "echo", "{#}:{/}:{//}:{.}:{/.}", "{x}"], "d/f.c\n", "1:f.c:d:d/f:f {x}\n");
    check(&["--", "awk", "BEGIN { print \"{}\" }"], "7\n", "7\n");
    check(&["-I", "@", "--", "echo", "{}", "@"], "7\n", "{} 7\n");
}

#[test]
fn large_arguments_arrive_whole() {
    let line = "x".repeat(120_000);
    check(&["--", "sh", "-c", "printf %s \"$0\" | wc -c"], &line, "120000\n");
    let script = "for a; do printf %s \"$a\"; done | wc -c";
    let argument = "x".repeat(100_000);
    let args = [vec!["--no-input", "--", "sh", "-c", script, "sh"], vec![&argument; 10]].concat();
    check(&args, "", "1000000\n");
}

#[test]
fn output_comes_in_the_order_of_the_input() {
    let wait = "while [ $0 = 1 ] && [ ! -e last ]; do sleep 0.01; done
        [ $0 = 9 ] && touch last; echo out $0; echo err $0 >&2";
    let ran = outwork(["exec", "-j4", "--", "sh", "-c", wait], seq(9));
    let expected = |stream: &str| (1..=9).map(|n| format!("{stream} {n}\n")).collect::<String>();
    assert_eq!((ran.stdout, ran.stderr, ran.code), (expected("out"), expected("err"), 0));
}

#[test]
fn unordered_output_comes_as_runs_end() {
    // The log has a header; a second line says that the end of the second run was seen.
    let wait = "while [ $0 = 1 ] && [ $(wc -l < log) -lt 2 ]; do sleep 0.01; done; echo $0";
    check(&["-j2", "--unordered", "--joblog", "log", "--", "sh", "-c", wait], "1\n2\n", "2\n1\n");
}

#[test]
fn every_executor_runs_programs() {
    for executor in ["inline", "threads:2", "loops:2", "background"] {
        check(&["--executor", executor, "--", "echo"], seq(20), &seq(20));
    }
}

#[test]
fn so_many_run_at_once_as_was_asked_for() {
    // Each waits for the other three.
    let meet =
        "touch here.$0; for n in 1 2 3 4; do while [ ! -e here.$n ]; do sleep 0.01; done; done";
    check(&["-j4", "--", "sh", "-c", meet], seq(4), "");
}

#[test]
fn a_tag_begins_every_line() {
    check(&["--tag", "--", "sh", "-c", "printf '1\n2'"], "in\n", "in\t1\nin\t2\n");
}

#[test]
fn a_program_that_is_missing_fails_its_run_and_no_other() {
    let ran = outwork(["exec", "--", "{}"], "true\nno-such-program\ntrue\n");
    let stderr = "outwork: line 2: `no-such-program` was not found\n";
    assert_eq!(ran, Ran { stdout: String::new(), stderr: stderr.into(), code: 1 });
}

#[test]
fn the_exit_code_is_1_or_counts() {
    for (failures, code) in [(0, 0), (1, 1), (3, 3), (100, 100), (101, 101), (104, 101)] {
        let input = format!("{}0\n", "1\n".repeat(failures));
        let args = ["exec", "--exit-count", "--", "sh", "-c", "exit $0"];
        assert_eq!(outwork(args, &input).code, code, "{failures}");
        let code = i32::from(failures > 0);
        assert_eq!(outwork(["exec", "--", "sh", "-c", "exit $0"], &input).code, code);
    }
}

#[test]
fn a_signal_that_ends_a_program_is_named() {
    let ran = outwork(["exec", "--no-input", "--", "sh", "-c", "kill -9 $$"], "");
    assert_eq!((ran.stderr.as_str(), ran.code), ("outwork: `sh` was killed by SIGKILL\n", 1));
}

#[test]
fn retries_are_runs_beside_the_first() {
    let place = Place::new();
    let script = "echo $0 >> runs; [ $0 = good ]";
    let ran = place.run(["exec", "--retries", "2", "--", "sh", "-c", script], "bad\ngood\n");
    assert_eq!((ran.code, place.read("runs").lines().count()), (1, 4));
    let script = "echo >> again; [ $(wc -l < again) = 3 ] && echo ok";
    let ran = place.run(["exec", "--retries", "9", "--no-input", "--", "sh", "-c", script], "");
    assert_eq!((ran.stdout.as_str(), ran.code), ("ok\n", 0));
}

#[test]
fn a_dry_run_writes_what_a_shell_would_need_and_runs_nothing() {
    let place = Place::new();
    let args = ["exec", "--dry-run", "--joblog", "log", "--results", "res", "--", "touch", "{}.x"];
    let ran = place.run(args, "a b\n$(id)\n");
    assert_eq!((ran.stdout.as_str(), ran.code), ("touch 'a b.x'\ntouch '$(id).x'\n", 0));
    for name in ["a b.x", "log", "res"] {
        assert!(!place.path(name).exists(), "{name}");
    }
}

#[test]
fn a_dry_run_as_json_has_a_line_for_each_command() {
    let ran = outwork(["exec", "--dry-run", "--json", "--", "touch", "{}.x"], "a b\n");
    let expected = "{\"command\":\"touch 'a b.x'\",\"line\":\"a b\",\"seq\":1}\n";
    assert_eq!((ran.stdout.as_str(), ran.code), (expected, 0));
}

#[test]
fn json_has_a_line_for_each_run() {
    let args = ["exec", "--json", "--", "sh", "-c", "echo $0; printf '\\377' >&2; exit $0"];
    let ran = outwork(args, "0\n3\n");
    let lines: Vec<serde_json::Value> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let got: Vec<_> = lines
        .iter()
        .map(|line| (&line["seq"], &line["stdout"], &line["stderr"], &line["exitval"]))
        .map(|fields| serde_json::to_string(&fields).unwrap())
        .collect();
    assert_eq!(got, [r#"[1,"0\n",[255],0]"#, r#"[2,"3\n",[255],3]"#]);
    assert_eq!(lines[1]["error"]["kind"], "exited");
    assert_eq!((ran.stderr.as_str(), ran.code), ("", 1));
}

#[test]
fn programs_do_not_see_our_variables() {
    let place = Place::new();
    let mut command = place.command(["exec", "--no-input", "--", "env"]);
    let output = command.env("OUTWORK_URL", "amqp://secret").env("KEPT", "1").output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains("KEPT=1") && !stdout.contains("OUTWORK"), "{stdout}");
}

#[test]
fn output_that_is_large_keeps_its_place_and_its_tag() {
    let script = "[ $0 = 2 ] || head -c 3000000 /dev/zero; echo $0";
    let ran = outwork(["exec", "-j3", "--tag", "--", "sh", "-c", script], seq(3));
    let zeros = "\0".repeat(3_000_000);
    assert!(ran.stdout == format!("1\t{zeros}1\n2\t2\n3\t{zeros}3\n"), "{}", ran.stdout.len());
}
