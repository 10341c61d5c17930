use super::*;

#[test]
fn an_exit_code_and_a_signal_are_told_apart() {
    for commands in BOTH {
        let end = |line: &str| Job::start(commands, CommandSpec::shell(line)).end();
        assert_eq!(end("exit 0").result.unwrap(), CommandReport { code: 0 });
        assert_eq!(end("exit 3").kind(), TaskErrorKind::Exited { code: 3 });
        assert_eq!(end("exit 139").kind(), TaskErrorKind::Exited { code: 139 });
        assert_eq!(end("kill -SEGV $$").kind(), TaskErrorKind::Signalled { signal: 11 });
        assert_eq!(end("kill -KILL $$").kind(), TaskErrorKind::Signalled { signal: 9 });
        assert_eq!(end("kill -40 $$").kind(), TaskErrorKind::Signalled { signal: 40 });
    }
}

#[test]
fn an_error_says_who_and_how_and_what_was_said_last() {
    let error = run(program("sh").args(["-c", "echo why >&2; exit 2"])).error();
    assert_eq!((error.message(), error.stderr_tail()), ("`sh` exited with code 2", "why\n"));
    let error = run(CommandSpec::shell("kill -SEGV $$")).error();
    assert_eq!(error.message(), "`/bin/sh` was killed by SIGSEGV");
    let error = run(CommandSpec::shell("kill -40 $$")).error();
    assert_eq!(error.message(), "`/bin/sh` was killed by signal 40");
}

#[test]
fn the_last_8_kib_of_the_standard_error_are_kept() {
    let line = r"head -c 1000000 /dev/zero >&2; printf '\377 the end' >&2; exit 1";
    let error = run(CommandSpec::shell(line)).error();
    let tail = error.stderr_tail();
    assert!(tail.ends_with("\u{fffd} the end"));
    assert_eq!(tail.len(), 8 * 1024 + '\u{fffd}'.len_utf8() - 1);
}

#[test]
fn what_was_left_in_the_background_is_neither_awaited_nor_killed() {
    for (commands, code) in BOTH.into_iter().flat_map(|by| [(by, 0), (by, 3)]) {
        let folder = tempfile::tempdir().unwrap();
        let line = r#"sleep 1000 & echo $! > "$1/pids"; echo hi; exit $2"#;
        let done = Job::start(commands, script(line, &folder).arg(code.to_string())).end();
        assert_eq!((done.result.is_ok(), &*done.stdout), (code == 0, &b"hi\n"[..]));
        let left = pids(&folder, 1)[0];
        assert!(!is_gone(left));
        kill(left);
    }
}

#[test]
fn somebody_who_writes_for_ever_is_not_awaited() {
    let folder = tempfile::tempdir().unwrap();
    let done = run(script(r#"yes & echo $! > "$1/pids"; sleep 0.05"#, &folder));
    assert!(done.ok().starts_with(b"y\n"));
    let left = pids(&folder, 1)[0];
    // Nobody reads any more.
    wait_until("the pipe broke", || is_gone(left));
}

#[test]
fn many_run_at_once_on_one_loop() {
    let one = Builder::new_current_thread().enable_all().build().unwrap();
    let host = || TaskContext::new(Host::new(None));
    one.block_on(async {
        let all: Vec<_> = (0..64)
            .map(|number| {
                let spec = CommandSpec::shell(format!("sleep 0.1; exit {number}"));
                tokio::spawn(Commands::default().run(spec, host()))
            })
            .collect();
        for (number, one) in all.into_iter().enumerate() {
            let code = match one.await.unwrap() {
                Ok(report) => report.code,
                Err(error) => match error.kind() {
                    TaskErrorKind::Exited { code } => *code,
                    other => panic!("{other:?}"),
                },
            };
            assert_eq!(usize::try_from(code).unwrap(), number);
        }
    });
}
