use super::*;

#[test]
fn arguments_reach_the_program_as_they_are() {
    let long = "x".repeat(120 * 1024);
    let args: [&[u8]; 14] = [
        b"a b",
        b"",
        b"'",
        b"\"",
        b";",
        b"$(id)",
        b"`id`",
        b"line\nline\n",
        b"{} {1} {print $1}",
        b"*",
        b"-n",
        b"\\0",
        b"\xff\xfe not UTF-8",
        long.as_bytes(),
    ];
    let spec = program("printf").arg("%s\\0").args(args.map(|arg| arg.to_vec()));
    let printed = run(spec).ok();
    let seen: Vec<&[u8]> = printed.split(|byte| *byte == 0).collect();
    assert_eq!(seen[..args.len()], args);
}

#[test]
fn braces_and_dollars_are_the_programs_own_affair() {
    let spec = program("awk").arg("{print $1}").stdin("first second\n");
    assert_eq!(run(spec).text(), "first\n");
}

#[test]
fn a_megabyte_of_arguments_is_not_too_much() {
    let spec = program("printf").arg("%s").args((0..10).map(|_| "y".repeat(100_000)));
    assert_eq!(run(spec).ok().len(), 1_000_000);
}

#[test]
fn more_than_the_system_takes_is_an_error_of_the_task() {
    let error = run(program("true").arg("z".repeat(8 << 20))).error();
    assert_eq!((error.kind(), error.is_permanent()), (&TaskErrorKind::Failed, true));
}

#[test]
fn what_no_program_can_be_given_is_an_error_of_the_task() {
    for spec in [
        program("true").arg("a\0b"),
        program("true").cwd("/tmp\0"),
        program("true").env("A", "b\0"),
        program("true").env("A\0", "b"),
        program("true").env("A=B", "c"),
        program("true").env("", "c"),
        program("true").env_remove("="),
    ] {
        let error = run(spec.clone()).error();
        assert_eq!(error.kind(), &TaskErrorKind::Failed, "{spec:?}");
        assert!(error.is_permanent(), "{spec:?}");
    }
}

#[test]
fn a_program_sees_the_name_that_it_was_called_by() {
    assert_eq!(run(program("sh").args(["-c", "echo $0"])).text(), "sh\n");
}
