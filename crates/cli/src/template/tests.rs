use super::*;

fn record(number: u64, line: &[u8]) -> Record {
    Record { number, line: Some(line.to_vec()) }
}

fn os_strings(args: &[&str]) -> Vec<OsString> {
    args.iter().map(OsString::from).collect()
}

fn expand(argv: &[&str], line: &[u8]) -> Vec<Vec<u8>> {
    let template = Template::parse(&os_strings(argv), None).expect("a template");
    bytes_of(template.expand(&record(7, line)).expect("a command"))
}

fn bytes_of(command: CommandLine) -> Vec<Vec<u8>> {
    let (program, args) = (command.program().to_owned(), command.args().to_vec());
    [vec![program], args].concat().into_iter().map(OsString::into_vec).collect()
}

#[track_caller]
fn check(argv: &[&str], line: &str, expected: &[&str]) {
    let got = expand(argv, line.as_bytes());
    let got: Vec<_> = got.iter().map(|arg| String::from_utf8_lossy(arg)).collect();
    assert_eq!(got, expected);
}

#[test]
fn no_program_is_refused() {
    assert_eq!(Template::parse(&[], None), Err(TemplateError::NoProgram));
}

#[test]
fn an_empty_placeholder_is_refused() {
    let parsed = Template::parse(&os_strings(&["echo"]), Some(OsStr::new("")));
    assert_eq!(parsed, Err(TemplateError::EmptyPlaceholder));
}

#[test]
fn a_nul_byte_in_the_line_is_refused_with_the_number_of_the_line() {
    for argv in [&["echo"][..], &["echo", "{#}"], &["echo", "{/}"]] {
        let template = Template::parse(&os_strings(argv), None).expect("a template");
        let error = template.expand(&record(41, b"b\0c")).expect_err("a NUL byte");
        assert_eq!(error, TemplateError::NulByte { number: 41 });
        assert!(error.to_string().contains("line 41"), "{error}");
    }
}

#[test]
fn braces_that_are_no_token_stay_literal() {
    let program = "{print $1} {1} {x} {%} {..} {///} {/../} {#.} { } {/ } {";
    check(&["awk", program, "{}"], "f", &["awk", program, "f"]);
}

#[test]
fn a_token_is_found_between_other_braces() {
    check(
        &["echo", "{{}}", "{}}", "{{#}", "{{.}.}"],
        "a.b",
        &["echo", "{a.b}", "a.b}", "{7", "{a.}"],
    );
}

#[test]
fn every_token_counts_anywhere_and_several_times() {
    let args = ["cp", "{}{}", "-o={//}/{#}-{/.}.out", "{.}:{/}"];
    check(&args, "d/a.txt", &["cp", "d/a.txtd/a.txt", "-o=d/7-a.out", "d/a:a.txt"]);
}

#[test]
fn the_program_itself_may_hold_a_token() {
    check(&["{}", "x"], "echo", &["echo", "x"]);
    check(&["bin/{/}"], "a/tool", &["bin/tool"]);
}

#[test]
fn without_a_token_the_line_is_the_last_argument() {
    check(&["echo", "-n"], "a b", &["echo", "-n", "a b"]);
    check(&["echo"], "", &["echo", ""]);
    check(&["echo", "{x}"], "{}", &["echo", "{x}", "{}"]);
}

#[test]
fn a_line_is_never_expanded_again() {
    check(&["echo", "{}", "{/}"], "{#}/{.}", &["echo", "{#}/{.}", "{.}"]);
}

#[test]
fn shell_metacharacters_reach_the_program_as_they_are() {
    let line = "$(rm -rf /); `id` 'x' \"y\" *";
    check(&["echo", "{}"], line, &["echo", line]);
}

#[test]
fn a_line_that_is_not_utf8_is_passed_on_byte_for_byte() {
    let line = b"d\xff/\xfe.\x80";
    let got = expand(&["x", "{}", "{.}", "{/}", "{//}", "{/.}"], line);
    assert_eq!(got[1..], [&line[..], b"d\xff/\xfe", b"\xfe.\x80", b"d\xff", b"\xfe"]);
    assert_eq!(expand(&["x"], line)[1], line);
}

#[test]
fn a_template_that_is_not_utf8_is_kept_byte_for_byte() {
    let argv = [OsString::from("x"), OsString::from_vec(b"\xff{}\xfe".to_vec())];
    let template = Template::parse(&argv, None).expect("a template");
    let command = template.expand(&record(1, b"a")).expect("a command");
    assert_eq!(bytes_of(command)[1], b"\xffa\xfe");
}

#[test]
fn a_renamed_placeholder_makes_braces_literal_and_keeps_the_other_tokens() {
    let template = Template::parse(&os_strings(&["echo", "@@ {} {.}"]), Some(OsStr::new("@@")));
    let command = template.expect("a template").expand(&record(1, b"a.b")).expect("a command");
    assert_eq!(bytes_of(command)[1], b"a.b {} a");
}

#[test]
fn under_a_renamed_placeholder_bare_braces_alone_append_the_line() {
    let template = Template::parse(&os_strings(&["echo", "{}"]), Some(OsStr::new("@")));
    let command = template.expect("a template").expand(&record(1, b"l")).expect("a command");
    assert_eq!(bytes_of(command), [&b"echo"[..], b"{}", b"l"]);
}

#[test]
fn a_placeholder_that_spells_another_token_wins() {
    let template = Template::parse(&os_strings(&["echo", "{#}{.}"]), Some(OsStr::new("{#}")));
    let command = template.expect("a template").expand(&record(9, b"a.b")).expect("a command");
    assert_eq!(bytes_of(command)[1], b"a.ba");
}

#[test]
fn without_input_nothing_is_appended_and_tokens_are_of_the_empty_line() {
    let no_line = Record { number: 1, line: None };
    let run = |argv: &[&str]| {
        let template = Template::parse(&os_strings(argv), None).expect("a template");
        bytes_of(template.expand(&no_line).expect("a command"))
    };
    assert_eq!(run(&["date", "-u"]), [&b"date"[..], b"-u"]);
    assert_eq!(run(&["echo", "{}", "n{#}"]), [&b"echo"[..], b"", b"n1"]);
}

/// Each row was printed by GNU parallel 20221122: line, `{.}`, `{/}`, `{//}`, `{/.}`.
#[test]
fn paths_are_cut_as_gnu_parallel_cuts_them() {
    let rows = [
        ["a/b.c.gz", "a/b.c", "b.c.gz", "a", "b.c"],
        ["foo", "foo", "foo", ".", "foo"],
        ["/foo.txt", "/foo", "foo.txt", "/", "foo"],
        [".bashrc", "", ".bashrc", ".", ""],
        ["a/.bashrc", "a/", ".bashrc", "a", ""],
        ["dir.d/file", "dir.d/file", "file", "dir.d", "file"],
        ["a/b/", "a/b/", "", "a", ""],
        ["a/b//", "a/b//", "", "a", ""],
        ["a//b", "a//b", "b", "a", "b"],
        ["/", "/", "", "/", ""],
        ["///", "///", "", "/", ""],
        ["a.b/", "a.b/", "", ".", ""],
        ["a//", "a//", "", ".", ""],
        ["//x", "//x", "x", "/", "x"],
        ["/a/", "/a/", "", "/", ""],
        ["foo.", "foo", "foo.", ".", "foo"],
        ["./x", "./x", "x", ".", "x"],
        ["..", ".", "..", ".", "."],
        [".", "", ".", ".", ""],
        ["", "", "", ".", ""],
    ];
    for [line, without_extension, basename, dirname, stem] in rows {
        let got = expand(&["x", "{.}", "{/}", "{//}", "{/.}"], line.as_bytes());
        let expected = [without_extension, basename, dirname, stem].map(str::as_bytes);
        assert_eq!(got[1..], expected, "of {line:?}");
    }
}
