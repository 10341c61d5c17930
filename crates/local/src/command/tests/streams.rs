use super::*;

/// Bytes of which no two neighbourhoods look alike, and few are UTF-8.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    (0..len).map(|_| next()).collect()
}

#[test]
fn both_streams_come_whole_and_apart() {
    let folder = tempfile::tempdir().unwrap();
    let (out, err) = (noise(1, 10 << 20), noise(2, 10 << 20));
    fs::write(folder.path().join("out"), &out).unwrap();
    fs::write(folder.path().join("err"), &err).unwrap();
    for commands in BOTH {
        let spec = script(r#"cat "$1/out" & cat "$1/err" >&2; wait"#, &folder);
        let done = Job::start(commands, spec).end();
        assert!(done.result.is_ok() && done.stdout == out && done.stderr == err);
    }
}

#[test]
fn a_large_input_goes_in_while_the_output_comes_out() {
    let input = noise(3, 10 << 20);
    assert!(run(program("cat").stdin(input.clone())).ok() == input);
}

#[test]
fn a_program_need_not_read_its_input() {
    let input = Bytes::from(vec![b'x'; 10 << 20]);
    assert_eq!(run(program("head").args(["-c", "1"]).stdin(input.clone())).text(), "x");
    for _ in 0..20 {
        assert!(run(program("true").stdin(input.clone())).ok().is_empty());
    }
}

#[test]
fn without_input_there_is_the_end_of_it() {
    assert!(run(program("cat")).ok().is_empty());
    assert!(run(program("cat").stdin("")).ok().is_empty());
}

#[test]
fn what_cannot_be_kept_does_not_stop_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::new(Some(&StreamTarget::file("/dev/full")));
    let spec = script(r#"head -c 1000000 /dev/zero; : > "$1/end""#, &folder);
    let error = Job::with_host(Commands::default(), spec, host).end().error();
    assert_eq!(error.kind(), &TaskErrorKind::Infrastructure);
    assert!(folder.path().join("end").exists());
}

/// What came through a pipe by its last read, which the runtime had no part in.
fn finished(reader: PipeReader, spare: PipeWriter) -> Bytes {
    let host = Host::new(None);
    let _runtime = runtime().enter();
    let pipe = OutputPipe { reader, spare };
    let mut outlet = Outlet::new(pipe, host.stdout.clone()).unwrap();
    outlet.finish().unwrap();
    host.stdout.close().0.bytes().unwrap()
}

#[test]
fn what_is_in_the_pipe_at_the_end_is_not_lost() {
    let (reader, mut writer) = pipe().unwrap();
    writer.write_all(b"last words").unwrap();
    assert_eq!(&*finished(reader, writer), b"last words");
}

#[test]
#[cfg(target_os = "linux")]
fn what_comes_after_the_end_is_not_read() {
    let (reader, writer) = pipe().unwrap();
    let full = rustix::pipe::fcntl_setpipe_size(&writer, 1 << 20).unwrap();
    let mut more = writer.try_clone().unwrap();
    let for_ever = move || while more.write(&[0; 4096]).is_ok() {};
    let for_ever = thread::Builder::new().spawn(for_ever).unwrap();
    let is_full = || rustix::io::ioctl_fionread(&reader).unwrap() == full as u64;
    wait_until("the pipe is full", is_full);
    assert_eq!(finished(reader, writer).len(), full);
    for_ever.join().unwrap();
}

#[test]
fn a_program_has_no_descriptors_but_its_streams() {
    // What was left open for us is left open for others.
    let inherited = process::Command::new("ls").arg("/proc/self/fd").output().unwrap().stdout;
    let folder = tempfile::tempdir().unwrap();
    let line = r#"echo $$ > "$1/pids"; exec sleep 1000"#;
    let held = script(line, &folder).stdin(vec![0; 1 << 20]);
    let held = Job::start(Commands::default(), held);
    pids(&folder, 1);
    assert_eq!(run(program("ls").arg("/proc/self/fd")).ok(), inherited);
    held.raise(StopLevel::Forced);
    held.end();
}

#[test]
fn a_broken_pipe_ends_a_program_as_it_does_in_a_shell() {
    assert_eq!(run(CommandSpec::shell("yes | head -n 1")).text(), "y\n");
}
