use super::*;

/// Three generations that ignore SIGTERM.
const STUBBORN: &str = r#"
    trap '' TERM
    echo started
    echo $$ >> "$1/pids"
    sh -c 'echo $$ >> "$1/pids"; sh -c '\''echo $$ >> "$1/pids"; sleep 1000; :'\'' sh "$1"; :' sh "$1"
    :
"#;

#[test]
fn a_program_is_asked_with_sigterm() {
    for commands in BOTH {
        let folder = tempfile::tempdir().unwrap();
        let spec = script(r#"echo before; echo $$ > "$1/pids"; exec sleep 1000"#, &folder);
        let job = Job::start(commands, spec);
        let leader = pids(&folder, 1)[0];
        job.raise(StopLevel::Requested);
        let done = job.end();
        assert_eq!(&*done.stdout, b"before\n");
        assert_eq!(done.kind(), TaskErrorKind::Cancelled);
        assert_eq!(state(leader), None);
    }
}

#[test]
fn a_program_that_ends_well_after_it_was_asked_to_stop_is_cancelled_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let line = r#"
        trap 'echo cleaned; exit 0' TERM
        echo $$ > "$1/pids"
        while :; do sleep 0.01; done
    "#;
    let job = Job::start(Commands::default(), script(line, &folder));
    pids(&folder, 1);
    job.raise(StopLevel::Requested);
    let done = job.end();
    assert_eq!(&*done.stdout, b"cleaned\n");
    assert_eq!(done.kind(), TaskErrorKind::Cancelled);
}

#[test]
fn a_tree_that_ignores_sigterm_is_killed_by_force() {
    for commands in BOTH {
        let folder = tempfile::tempdir().unwrap();
        let job = Job::start(commands, script(STUBBORN, &folder));
        let tree = pids(&folder, 3);
        job.raise(StopLevel::Requested);
        wait_until("SIGTERM was sent and ignored", || {
            let status = fs::read_to_string(format!("/proc/{}/status", tree[0])).unwrap();
            status.contains("State:\tS") && tree.iter().all(|pid| !is_gone(*pid))
        });
        assert!(!job.end.is_finished());
        job.raise(StopLevel::Forced);
        let done = job.end();
        assert_eq!(state(tree[0]), None);
        wait_until("the tree is gone", || tree.iter().all(|pid| is_gone(*pid)));
        assert_eq!(&*done.stdout, b"started\n");
        assert_eq!(done.kind(), TaskErrorKind::Cancelled);
    }
}

#[test]
fn force_needs_no_request_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let job = Job::start(Commands::default(), script(STUBBORN, &folder));
    let tree = pids(&folder, 3);
    let start = Instant::now();
    job.raise(StopLevel::Forced);
    assert_eq!(job.end().kind(), TaskErrorKind::Cancelled);
    wait_until("the tree is gone", || tree.iter().all(|pid| is_gone(*pid)));
    let took = start.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    println!("from force to the end of three generations: {took:?}");
}

#[test]
fn a_child_that_ignores_sigterm_and_holds_no_pipe_dies_with_its_parent() {
    let folder = tempfile::tempdir().unwrap();
    let line = r#"
        sh -c 'trap "" TERM; echo $$ >> "$1/pids"; exec sleep 1000' sh "$1" >/dev/null 2>&1 &
        while ! [ -s "$1/pids" ]; do sleep 0.01; done
        echo $$ >> "$1/pids"
        wait
    "#;
    let job = Job::start(Commands::default(), script(line, &folder));
    let [child, leader] = pids(&folder, 2)[..] else { unreachable!() };
    job.raise(StopLevel::Requested);
    assert_eq!(job.end().kind(), TaskErrorKind::Cancelled);
    assert_eq!(state(leader), None);
    wait_until("the child was killed", || is_gone(child));
}

#[test]
fn a_child_that_ignores_sigterm_and_holds_a_pipe_has_the_rest_of_the_grace() {
    for commands in BOTH {
        let folder = tempfile::tempdir().unwrap();
        let line = r#"
            (
                trap '' TERM
                sh -c 'echo $PPID' >> "$1/pids"
                while ! [ -e "$1/go" ]; do sleep 0.01; done
                echo late
                : > "$1/said"
                exec sleep 1000
            ) &
            while ! [ -s "$1/pids" ]; do sleep 0.01; done
            echo $$ >> "$1/pids"
            wait
        "#;
        let job = Job::start(commands, script(line, &folder));
        let [child, leader] = pids(&folder, 2)[..] else { unreachable!() };
        job.raise(StopLevel::Requested);
        // A zombie keeps the group's number from being given to another.
        wait_until("the program ended", || state(leader) == Some('Z'));
        fs::write(folder.path().join("go"), "").unwrap();
        wait_until("the child went on", || folder.path().join("said").exists());
        job.raise(StopLevel::Forced);
        let done = job.end();
        assert_eq!(&*done.stdout, b"late\n");
        assert_eq!(done.kind(), TaskErrorKind::Cancelled);
        assert_eq!(state(leader), None);
        wait_until("the child was killed", || is_gone(child));
    }
}

#[test]
fn a_group_that_ends_within_the_grace_needs_no_force() {
    let folder = tempfile::tempdir().unwrap();
    let line = r#"
        (
            trap '' TERM
            : > "$1/ready"
            while ! [ -e "$1/go" ]; do sleep 0.01; done
            echo late
        ) &
        while ! [ -e "$1/ready" ]; do sleep 0.01; done
        echo $$ > "$1/pids"
        wait
    "#;
    let job = Job::start(Commands::default(), script(line, &folder));
    let leader = pids(&folder, 1)[0];
    job.raise(StopLevel::Requested);
    wait_until("the program ended", || state(leader) == Some('Z'));
    fs::write(folder.path().join("go"), "").unwrap();
    let done = job.end();
    assert_eq!(&*done.stdout, b"late\n");
    assert_eq!(done.kind(), TaskErrorKind::Cancelled);
}

#[test]
fn who_left_the_group_does_not_keep_the_task_from_ending() {
    let folder = tempfile::tempdir().unwrap();
    let line = r#"setsid sh -c 'echo $$ > "$1/pids"; exec sleep 1000' sh "$1" & wait"#;
    let job = Job::start(Commands::default(), script(line, &folder));
    let left = pids(&folder, 1)[0];
    job.raise(StopLevel::Forced);
    assert_eq!(job.end().kind(), TaskErrorKind::Cancelled);
    kill(left);
}

#[test]
fn a_stopped_program_can_be_asked_and_killed() {
    for level in [StopLevel::Requested, StopLevel::Forced] {
        let folder = tempfile::tempdir().unwrap();
        let spec = script(r#"echo $$ > "$1/pids"; kill -STOP $$; sleep 1000"#, &folder);
        let job = Job::start(Commands::default(), spec);
        let leader = pids(&folder, 1)[0];
        wait_until("the program has stopped", || state(leader) == Some('T'));
        job.raise(level);
        assert_eq!(job.end().kind(), TaskErrorKind::Cancelled);
    }
}

#[test]
fn a_command_that_is_cancelled_before_it_started_never_starts() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::new(None);
    host.cancel.raise(StopLevel::Requested);
    let spec = script(r#": > "$1/ran""#, &folder);
    let done = Job::with_host(Commands::default(), spec, host).end();
    assert_eq!(done.kind(), TaskErrorKind::Cancelled);
    assert!(!folder.path().join("ran").exists());
}

#[test]
fn dropping_the_future_kills_the_group_and_leaves_no_zombie() {
    for commands in BOTH {
        let folder = tempfile::tempdir().unwrap();
        let job = Job::start(commands, script(STUBBORN, &folder));
        let tree = pids(&folder, 3);
        job.end.abort();
        wait_until("the group is gone", || tree.iter().all(|pid| is_gone(*pid)));
        wait_until("the program was reaped", || state(tree[0]).is_none());
    }
}

#[test]
fn the_end_of_the_runtime_kills_the_group() {
    for commands in BOTH {
        let folder = tempfile::tempdir().unwrap();
        let short = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let ctx = TaskContext::new(Host::new(None));
        // As on a thread pool: driven by the runtime, but on a thread of its own.
        let handle = short.handle().clone();
        let body = commands.run(script(STUBBORN, &folder), ctx);
        let outside = thread::Builder::new().spawn(move || handle.block_on(body)).unwrap();
        let tree = pids(&folder, 3);
        drop(short);
        let error = outside.join().unwrap().unwrap_err();
        assert_eq!(error.kind(), &TaskErrorKind::Infrastructure);
        wait_until("the group is gone", || tree.iter().all(|pid| is_gone(*pid)));
        wait_until("the program was reaped", || state(tree[0]).is_none());
    }
}
