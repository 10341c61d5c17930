//! The tasks that the workers of process pools know in tests.

use std::{
    fs::OpenOptions,
    hint::black_box,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use outwork_core::{
    BoxError, CommandReport, CommandSpec, Registry, TaskContext, TaskDef, conformance,
};
use rustix::process::getpid;

#[path = "death.rs"]
mod death;

pub(crate) use death::{Death, Moment};

/// Beats into a file until it is gone.
pub(crate) const BEAT: TaskDef<String, ()> = TaskDef::new("child.beat");
/// Executes a program that beats into a file until that cannot be written any more, because
/// its folder is gone.
pub(crate) const PROGRAM: TaskDef<String, CommandReport> = TaskDef::new("child.program");
/// Does nothing.
pub(crate) const NOOP: TaskDef<(), ()> = TaskDef::new("child.noop");
/// Gives its argument back.
pub(crate) const ECHO: TaskDef<Bytes, Bytes> = TaskDef::new("child.echo");
/// Replies with the number of the process.
pub(crate) const PID: TaskDef<(), u32> = TaskDef::new("child.pid");
/// Sleeps so many milliseconds, whoever asks it to stop.
pub(crate) const SLEEP: TaskDef<u64, ()> = TaskDef::new("child.sleep");
/// Computes for so many microseconds.
pub(crate) const SPIN: TaskDef<u64, ()> = TaskDef::new("child.spin");
/// Ends the process in some way, after so many milliseconds, with so much to carry.
pub(crate) const DIE: TaskDef<(Death, u64, Bytes), Bytes> = TaskDef::new("child.die");
/// Writes a line into a file, and then ends the process unless the file had a line before.
pub(crate) const DIE_ONCE: TaskDef<PathBuf, String> = TaskDef::new("child.die-once");
/// Ends the process in some way once a file is there, with so much to carry.
pub(crate) const DIE_WHEN: TaskDef<(Death, PathBuf, Bytes), Bytes> = TaskDef::new("child.die-when");
/// Kills the process if it is told to, and does nothing otherwise.
pub(crate) const DIE_IF: TaskDef<bool, ()> = TaskDef::new("child.die-if");
/// Leaves a thread behind that ends the process in some way once a file is there.
pub(crate) const DIE_LATER: TaskDef<(Death, PathBuf), u32> = TaskDef::new("child.die-later");
/// Makes so many bytes.
pub(crate) const MAKE: TaskDef<usize, Bytes> = TaskDef::new("child.make");
/// Replies with what cannot be serialised.
pub(crate) const UNSPEAKABLE: TaskDef<(), Unspeakable> = TaskDef::new("child.unspeakable");
/// Waits until a file is there, and replies with the number of the process.
pub(crate) const HOLD: TaskDef<PathBuf, u32> = TaskDef::new("child.hold");
/// Writes a line into a file.
pub(crate) const LOG: TaskDef<(PathBuf, u32), ()> = TaskDef::new("child.log");
/// Fills so many MiB, and keeps them for so many milliseconds.
pub(crate) const FILL: TaskDef<(usize, u64), ()> = TaskDef::new("child.fill");
/// Keeps so many MiB for ever.
pub(crate) const LEAK: TaskDef<usize, u32> = TaskDef::new("child.leak");
/// Prints to the standard output and the standard error.
pub(crate) const PRINT: TaskDef<(String, String), ()> = TaskDef::new("child.print");
/// Tells an event to `tracing`.
pub(crate) const TELL: TaskDef<String, ()> = TaskDef::new("child.tell");
/// Starts processes inside of each other, so deep, which beat into a file.
pub(crate) const TREE: TaskDef<(u32, PathBuf), ()> = TaskDef::new("child.tree");
/// Runs a script of the shell, with a file, in the worker's own group.
pub(crate) const SCRIPT: TaskDef<(String, PathBuf), ()> = TaskDef::new("child.script");
/// Executes a program.
pub(crate) const EXECUTE: TaskDef<CommandSpec, CommandReport> = TaskDef::new("child.execute");
/// Panics.
pub(crate) const PANIC: TaskDef<String, ()> = TaskDef::new("child.panic");
/// Writes bytes that are not the protocol on the channel to the pool.
pub(crate) const GARBLE: TaskDef<Bytes, ()> = TaskDef::new("child.garble");
/// Closes the channel to the pool.
pub(crate) const HANG_UP: TaskDef<(), ()> = TaskDef::new("child.hang-up");

/// What cannot be serialised.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Unspeakable;

impl serde::Serialize for Unspeakable {
    fn serialize<S: serde::Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("there are no words for it"))
    }
}

/// All of them, with those of the conformance suite.
pub(crate) fn registry() -> Registry {
    let mut registry = conformance::registry();
    register(&mut registry).expect("every name is registered once");
    registry
}

fn register(registry: &mut Registry) -> Result<(), outwork_core::RegisterError> {
    registry.register(BEAT, |_ctx, file| beat(Path::new(&file)))?;
    registry.register_command(PROGRAM, |_ctx, file| {
        let script = r#"while printf . >> "$1"; do sleep 0.01; done 2>/dev/null"#;
        Ok::<_, BoxError>(CommandSpec::shell(script).args(["sh", &file]))
    })?;
    registry.register(NOOP, |_ctx, ()| Ok::<_, BoxError>(()))?;
    registry.register(ECHO, |_ctx, bytes| Ok::<_, BoxError>(bytes))?;
    registry.register(PID, |_ctx, ()| Ok::<_, BoxError>(std::process::id()))?;
    registry.register(SLEEP, |_ctx, milliseconds| {
        thread::sleep(Duration::from_millis(milliseconds));
        Ok::<_, BoxError>(())
    })?;
    registry.register(SPIN, |_ctx, microseconds| {
        let (start, time) = (Instant::now(), Duration::from_micros(microseconds));
        while start.elapsed() < time {
            std::hint::spin_loop();
        }
        Ok::<_, BoxError>(())
    })?;
    registry.register(DIE, |_ctx, (death, milliseconds, bytes): (Death, u64, Bytes)| {
        thread::sleep(Duration::from_millis(milliseconds));
        death.die();
        Ok::<_, BoxError>(bytes)
    })?;
    registry.register(DIE_ONCE, |ctx, file| die_once(ctx, &file))?;
    registry.register(DIE_WHEN, |_ctx, (death, file, bytes): (Death, PathBuf, Bytes)| {
        death.strike_once_there_is(&file);
        Ok::<_, BoxError>(bytes)
    })?;
    registry.register(DIE_LATER, |_ctx, (death, file): (Death, PathBuf)| {
        thread::Builder::new().spawn(move || death.strike_once_there_is(&file))?;
        Ok::<_, BoxError>(std::process::id())
    })?;
    registry.register(DIE_IF, |_ctx, dies| {
        if dies {
            Death::Kill.die();
        }
        Ok::<_, BoxError>(())
    })?;
    registry.register(MAKE, |_ctx, bytes| Ok::<_, BoxError>(Bytes::from(vec![1; bytes])))?;
    registry.register(UNSPEAKABLE, |_ctx, ()| Ok::<_, BoxError>(Unspeakable))?;
    registry.register(HOLD, |_ctx, file| {
        await_file(&file);
        Ok::<_, BoxError>(std::process::id())
    })?;
    registry.register(LOG, |_ctx, (file, number): (PathBuf, u32)| {
        let mut log = OpenOptions::new().create(true).append(true).open(file)?;
        log.write_all(format!("{number}\n").as_bytes())?;
        Ok::<_, BoxError>(())
    })?;
    registry.register(FILL, |_ctx, (mib, milliseconds)| {
        let filled = black_box(vec![1_u8; mib << 20]);
        thread::sleep(Duration::from_millis(milliseconds));
        drop(filled);
        Ok::<_, BoxError>(())
    })?;
    registry.register(LEAK, |_ctx, mib| {
        Box::leak(black_box(vec![1_u8; mib << 20]).into_boxed_slice());
        Ok::<_, BoxError>(std::process::id())
    })?;
    registry.register(PRINT, |_ctx, (stdout, stderr): (String, String)| {
        std::io::stdout().write_all(stdout.as_bytes())?;
        std::io::stderr().write_all(stderr.as_bytes())?;
        Ok::<_, BoxError>(())
    })?;
    registry.register(TELL, |_ctx, words| {
        tracing::warn!(target: "child::told", answer = 42, "{words}");
        Ok::<_, BoxError>(())
    })?;
    registry.register(TREE, |_ctx, (depth, file)| tree(depth, &file))?;
    registry.register(SCRIPT, |_ctx, (script, file): (String, PathBuf)| {
        Command::new("/bin/sh").args(["-c", &script, "sh"]).arg(file).status()?;
        Ok::<_, BoxError>(())
    })?;
    registry.register_command(EXECUTE, |_ctx, spec| Ok::<_, BoxError>(spec))?;
    registry.register(PANIC, |_ctx, words| -> Result<(), BoxError> { panic!("{words}") })?;
    registry.register(GARBLE, |_ctx, bytes| garble(&bytes))?;
    registry.register(HANG_UP, |_ctx, ()| hang_up())
}

/// Waits until a file is there.
pub(crate) fn await_file(file: &Path) {
    while !file.exists() {
        thread::sleep(Duration::from_millis(1));
    }
}

fn beat(file: &Path) -> Result<(), BoxError> {
    let mut file = OpenOptions::new().create(true).append(true).open(file)?;
    loop {
        file.write_all(b".")?;
        thread::sleep(Duration::from_millis(2));
    }
}

fn die_once(ctx: &TaskContext, file: &Path) -> Result<String, BoxError> {
    let before = std::fs::read_to_string(file).unwrap_or_default();
    let mut log = OpenOptions::new().create(true).append(true).open(file)?;
    writeln!(log, "attempt {}", ctx.attempt())?;
    if before.is_empty() {
        Death::Abort.die();
    }
    Ok(std::fs::read_to_string(file)?)
}

/// A shell that starts a shell, and so on; each of them stays, and the last one beats.
fn tree(depth: u32, file: &Path) -> Result<(), BoxError> {
    let script = r#"
        if [ "$1" -gt 1 ]; then sh -c "$3" sh $(($1 - 1)) "$2" "$3" & wait
        else while :; do printf . >>"$2"; sleep 0.01; done; fi"#;
    let depth = depth.to_string();
    let file = file.to_str().ok_or("the path is no text")?;
    Command::new("/bin/sh").args(["-c", script, "sh", &depth, file, script]).status()?;
    Ok(())
}

/// The channel is the only socket that the worker has.
fn channel() -> Result<rustix::fd::OwnedFd, BoxError> {
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let entry = entry?;
        let target = std::fs::read_link(entry.path()).unwrap_or_default();
        if target.to_string_lossy().starts_with("socket:") {
            let pidfd =
                rustix::process::pidfd_open(getpid(), rustix::process::PidfdFlags::empty())?;
            let number = entry.file_name().to_str().ok_or("no number")?.parse()?;
            let flags = rustix::process::PidfdGetfdFlags::empty();
            return Ok(rustix::process::pidfd_getfd(pidfd, number, flags)?);
        }
    }
    Err("there is no channel".into())
}

fn garble(bytes: &[u8]) -> Result<(), BoxError> {
    rustix::io::write(channel()?, bytes)?;
    thread::sleep(Duration::from_secs(60));
    Ok(())
}

fn hang_up() -> Result<(), BoxError> {
    rustix::net::shutdown(channel()?, rustix::net::Shutdown::Both)?;
    thread::sleep(Duration::from_secs(60));
    Ok(())
}
