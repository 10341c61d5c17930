use super::*;

fn not_found(program: &str) -> TaskErrorKind {
    TaskErrorKind::Rejected(Rejection::ProgramNotFound { program: program.to_owned() })
}

fn not_executable(program: impl Into<OsBytes>) -> TaskErrorKind {
    let program = program.into().to_string();
    TaskErrorKind::Rejected(Rejection::ProgramNotExecutable { program })
}

#[test]
fn a_missing_program_is_named() {
    for name in ["no-such-program", "/no/such/program", "./no-such-program", "/dev/null/x"] {
        assert_eq!(run(program(name)).kind(), not_found(name));
    }
}

#[test]
fn a_file_that_may_not_be_executed_is_told_from_a_missing_one() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    fs::write(&plain, "#!/bin/sh\n").unwrap();
    let stray = executable(folder.path(), "stray", "#!/no/such/interpreter\n");
    let noise = executable(folder.path(), "noise", "\x01\x02 not a program");
    for path in [&plain, folder.path(), &stray, &noise] {
        assert_eq!(run(CommandSpec::new(path).unwrap()).kind(), not_executable(path));
    }
    let by_name = program("plain").env("PATH", folder.path());
    assert_eq!(run(by_name).kind(), not_executable("plain"));
}

#[test]
fn what_the_system_lacks_is_no_fault_of_the_task() {
    for lack in [Errno::AGAIN, Errno::NOMEM, Errno::MFILE, Errno::NFILE, Errno::IO] {
        let error = not_started(&program("x"), Path::new("/bin/x"), &lack.into());
        assert_eq!(error.kind(), &TaskErrorKind::Infrastructure, "{lack:?}");
        assert!(!error.is_permanent());
    }
}

#[test]
fn a_missing_working_directory_is_not_taken_for_a_missing_program() {
    for directory in ["/no/such/directory", "/etc/passwd"] {
        for name in ["true", "/bin/true", "./true", "no-such-program"] {
            let error = run(program(name).cwd(directory)).error();
            assert_eq!(error.kind(), &TaskErrorKind::Infrastructure);
            assert!(error.message().contains(directory), "{error}");
        }
    }
}

#[test]
fn a_program_is_looked_for_where_the_command_stands() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("bin")).unwrap();
    executable(&folder.path().join("bin"), "tool", "#!/bin/sh\necho \"tool $PWD\"\n");
    let real = folder.path().canonicalize().unwrap();
    let here = env::current_dir().unwrap();
    let up: PathBuf = here.components().skip(1).map(|_| "..").collect();
    let relative = up.join(real.strip_prefix("/").unwrap());
    for directory in [&real, &relative] {
        let at = |name: &str| program(name).cwd(directory);
        let expected = format!("tool {}\n", real.display());
        assert_eq!(run(at("bin/tool")).text(), expected);
        assert_eq!(run(at("./bin/../bin/tool")).text(), expected);
        assert_eq!(run(at("tool").env("PATH", "/nowhere:bin")).text(), expected);
    }
    let inside = program("tool").cwd(real.join("bin")).env("PATH", "/nowhere::/usr/bin");
    assert_eq!(run(inside).text(), format!("tool {}/bin\n", real.display()));
}

#[test]
fn a_program_is_looked_for_in_the_path_that_it_will_see() {
    let folder = tempfile::tempdir().unwrap();
    executable(folder.path(), "true", "#!/bin/sh\necho mine\n");
    fs::create_dir(folder.path().join("false")).unwrap();
    let path = format!("{}:/bin:/usr/bin", folder.path().display());
    assert_eq!(run(program("true").env("PATH", &*path)).text(), "mine\n");
    assert_eq!(run(program("true").env("PATH", &*path).env_remove("PATH")).text(), "");
    assert_eq!(run(program("true").clear_env()).text(), "");
    // A folder of that name is no program.
    assert_eq!(run(program("false").env("PATH", &*path)).kind(), TaskErrorKind::Exited { code: 1 });
    assert_eq!(run(program("true").env("PATH", "/nowhere")).kind(), not_found("true"));
}

#[test]
fn a_program_that_is_being_written_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = executable(folder.path(), "busy", "#!/bin/sh\n");
    let writer = fs::OpenOptions::new().append(true).open(&path).unwrap();
    let spec = || CommandSpec::new(&*path).unwrap();
    let given_up = Job::start(Commands::default(), spec()).end();
    assert_eq!(given_up.kind(), TaskErrorKind::Infrastructure);
    let cancelled = Job::start(Commands::default(), spec());
    cancelled.raise(StopLevel::Requested);
    assert_eq!(cancelled.end().kind(), TaskErrorKind::Cancelled);
    let mut patient = Commands::default().run(spec(), TaskContext::new(Host::new(None)));
    let first_poll = poll_fn(|cx| Poll::Ready(patient.as_mut().poll(cx)));
    assert!(runtime().block_on(first_poll).is_pending());
    drop(writer);
    runtime().block_on(patient).unwrap();
}

#[test]
fn the_environment_is_inherited_set_and_removed_in_order() {
    let own = env::var("PATH").unwrap();
    assert_eq!(run(program("sh").args(["-c", "echo $PATH"])).text(), format!("{own}\n"));
    let spec = program("env")
        .env("BEFORE", "gone")
        .clear_env()
        .env("A", "1")
        .env("B", "x\ny")
        .env_remove("A")
        .env("A", "2")
        .env("B2", "3")
        .env_remove("B2");
    assert_eq!(run(spec).text(), "A=2\nB=x\ny\n");
}

#[test]
fn variables_of_outwork_are_kept_from_programs() {
    alone("start::variables_of_outwork_are_kept_from_programs", || {
        let seen = run(program("env")).text();
        assert!(!seen.contains("OUTWORK_") && seen.contains("PATH="), "{seen}");
        let seen = run(program("env").env("OUTWORK_MINE", "1")).text();
        assert!(seen.contains("OUTWORK_MINE=1") && !seen.contains("secret"), "{seen}");
    });
}

/// `fork` takes 40 ms here, because it copies the page tables.
#[test]
fn the_start_does_not_slow_down_with_the_memory_of_this_process() {
    alone("start::the_start_does_not_slow_down_with_the_memory_of_this_process", || {
        let heap = vec![1_u8; 1 << 30];
        let folder = tempfile::tempdir().unwrap();
        let spec = || program("true").cwd(folder.path()).env("PATH", "/bin:/usr/bin");
        run(spec()).ok();
        let time = || {
            let (ctx, spec) = (TaskContext::new(Host::new(None)), spec());
            runtime().block_on(async {
                let start = Instant::now();
                let launched = launch(&spec, &ctx).await.unwrap();
                let took = start.elapsed();
                drop(launched);
                took
            })
        };
        // Other tests take their share of the processor; `fork` is never that fast.
        let best = (0..20).map(|_| time()).min().unwrap();
        assert!(best < Duration::from_millis(2), "{best:?}");
        assert!(heap.iter().step_by(4096).all(|byte| *byte == 1));
    });
}
