//! [`worker_entry`]: where a process becomes a worker.

use std::{
    env,
    ffi::OsStr,
    fs::File,
    io::{self, IoSliceMut, Write},
    mem::MaybeUninit,
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use outwork_core::Registry;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, recvmsg};

use super::{
    super::{
        sys,
        wire::{Decoder, FromChild, Hello, Ready, ToChild, fingerprint},
    },
    groups::{Groups, Reporter},
    link::Link,
    logs,
    runner::{Handlers, Worker},
    watch::Watch,
};
use crate::command;

/// The first argument of a process that a pool has started. After it comes how deep in pools
/// the process is.
pub(in super::super) const MARKER: &str = "__outwork-worker";

/// How deep pools can be in each other: a worker may have a pool, its workers may not.
pub(in super::super) const DEPTH_LIMIT: u32 = 2;

static ENTERED: AtomicBool = AtomicBool::new(false);

/// The first frames are small.
const HELLO_LIMIT: usize = 64 * 1024;

/// Makes this process a worker if a [`ProcessPool`](crate::ProcessPool) has started it, and
/// does nothing otherwise.
///
/// Call it first in `main`, with the same tasks registered as in the pool: the workers of a
/// pool are this very program, started again. As a worker it does not return; the process ends
/// when the pool says so, or is killed when the pool is gone.
///
/// The worker's standard input is empty, its standard output and error lead to the pool, and
/// its `tracing` events too. It ignores SIGTERM and SIGHUP, because its pool decides when it
/// ends.
///
/// ```no_run
/// use outwork_core::{BoxError, ExecutorExt, Registry, TaskDef};
/// use outwork_local::{ProcessPool, worker_entry};
///
/// const SQUARE: TaskDef<u64, u64> = TaskDef::new("math.square");
///
/// fn main() -> Result<(), BoxError> {
///     let mut registry = Registry::new();
///     registry.register(SQUARE, |_ctx, n| Ok::<_, BoxError>(n * n))?;
///     worker_entry(&registry);
///
///     let pool = ProcessPool::builder().workers(2).registry(registry).build()?;
///     assert_eq!(pool.blocking_call(SQUARE, &12)?, 144);
///     Ok(())
/// }
/// ```
pub fn worker_entry(registry: &Registry) {
    if is_worker() && !ENTERED.swap(true, Ordering::SeqCst) {
        let code = match work(registry) {
            Ok(()) => 0,
            Err(error) => {
                let _ = writeln!(io::stderr(), "a worker could not begin: {error}");
                1
            }
        };
        end(code);
    }
}

#[expect(clippy::exit, clippy::disallowed_methods, reason = "a worker ends here, not in `main`")]
fn end(code: i32) -> ! {
    std::process::exit(code)
}

/// Whether a [`ProcessPool`](crate::ProcessPool) has started this process, so that
/// [`worker_entry`] will not return.
///
/// For programs that have something to do only as a worker, or only otherwise.
#[must_use]
pub fn is_worker() -> bool {
    env::args_os().nth(1).as_deref() == Some(OsStr::new(MARKER))
}

/// Whether this process is a worker whose `main` has not called [`worker_entry`]. Were it to
/// start workers, there would be no end.
pub(in super::super) fn is_unentered_worker() -> bool {
    is_worker() && !ENTERED.load(Ordering::SeqCst)
}

/// How many pools this process is inside of.
pub(in super::super) fn depth() -> u32 {
    if !is_worker() {
        return 0;
    }
    env::args().nth(2).and_then(|depth| depth.parse().ok()).unwrap_or(1)
}

fn work(registry: &Registry) -> io::Result<()> {
    let socket = take_channel()?;
    ignore_signals()?;
    let (hello, journal, decoder) = greet(&socket)?;
    let link = Arc::new(Link::new(socket, journal));
    let ready = Ready::new(fingerprint(registry));
    if let Some(difference) = ready.differs_from(&hello) {
        link.say(&FromChild::Refused(difference));
        return Ok(());
    }
    let groups = Arc::new(Groups::default());
    command::watch_groups(Reporter { groups: Arc::clone(&groups), link: Arc::clone(&link) });
    let frame_limit = hello.frame_limit as usize;
    let worker = Arc::new(Worker::new(Arc::clone(&link), groups, decoder, frame_limit));
    Watch::start(&worker)?;
    logs::forward(&hello, &worker);
    link.say(&FromChild::Ready(ready));
    worker.work(&mut Handlers::of(registry));
    Ok(())
}

/// Takes the channel off the standard input, where bodies and programs would find it.
fn take_channel() -> io::Result<OwnedFd> {
    let channel = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    rustix::net::getpeername(&channel)
        .map_err(|_| io::Error::other("its standard input is no channel to a pool"))?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(channel)
}

/// The pool tells its workers when to end. A signal to all processes of a service, or to the
/// group of a task, must not take them away before that.
fn ignore_signals() -> io::Result<()> {
    let told = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&told))?;
    }
    Ok(())
}

/// Reads the first frame, and the journal that comes with it.
fn greet(socket: &OwnedFd) -> io::Result<(Hello, File, Decoder)> {
    let mut decoder = Decoder::new(HELLO_LIMIT);
    let mut journal = None;
    loop {
        if let Some(raw) = decoder.next().map_err(io::Error::other)? {
            let ToChild::Hello(hello) = ToChild::read(&raw).map_err(io::Error::other)? else {
                return Err(io::Error::other("the pool does not begin with its name"));
            };
            let journal = journal.ok_or_else(|| io::Error::other("there came no journal"))?;
            decoder.set_limit(hello.frame_limit as usize + HELLO_LIMIT);
            return Ok((hello, journal, decoder));
        }
        let mut bytes = [0; 4096];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut rights = RecvAncillaryBuffer::new(&mut space);
        let pieces = &mut [IoSliceMut::new(&mut bytes)];
        let received = recvmsg(socket, pieces, &mut rights, sys::CLOSE_ON_EXEC)?;
        if received.bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for message in rights.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                journal = descriptors.map(File::from).last().or(journal);
            }
        }
        decoder.feed(&bytes[..received.bytes]);
    }
}
