//! [`Keeper`]: the thread that keeps one child, from its start until it is reaped.

mod ending;
mod silence;
mod words;

use std::{
    fs::File,
    io::{self, PipeReader, Read, pipe},
    os::fd::{AsFd, OwnedFd},
    process,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use outwork_core::{
    OutputSink, TaskId,
    engine::{Attempt, WorkerToken},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::RecvFlags,
    process::Pid,
};

use self::silence::Silence;
use super::{
    Pool,
    child::{Child, Kill, Stage},
    death, memory,
    pipes::{Pipes, STDERR, STDOUT, Tag},
    program::Started,
};
use crate::{
    command::census,
    process_pool::{
        sys,
        wire::{Decoder, FromChild, Hello, ToChild},
    },
};

/// How long a child that was told to leave may take for it.
const LEAVE: Duration = Duration::from_secs(2);

/// How often the memory of a child is looked at while it runs a task.
const MEMORY_LOOK: Duration = Duration::from_millis(100);

/// How long frames may be that hold no payload.
const SMALL: usize = 1024 * 1024;

/// Keeps one child: reads what it says and prints, writes what the channel had no room for,
/// watches over its memory, and settles everything when it ends.
struct Keeper {
    pool: Arc<Pool>,
    child: Arc<Child>,
    process: process::Child,
    /// Readable once the process has ended, where there is such a thing.
    end: Option<OwnedFd>,
    wake: PipeReader,
    pipes: Pipes,
    /// What was read from them, while it is not known whose it is.
    printed: [Vec<u8>; 2],
    decoder: Decoder,
    journal: File,
    /// How many bytes the child has said.
    received: u64,
    /// The task that the child is at.
    running: Option<Running>,
    /// When the child has to have done what it is about to do: to greet, or to leave.
    deadline: Option<Instant>,
    /// When its memory is to be looked at.
    look: Option<Instant>,
    silence: Silence,
    /// Why its start counts as failed, when it says so itself.
    refused: Option<String>,
    /// How many tasks it has begun.
    begun: u64,
    oom_kills: u64,
    /// What is settled now is the last of it.
    ending: bool,
    _token: WorkerToken,
}

struct Running {
    seq: u64,
    place: u32,
    attempt: Attempt,
}

/// What is ready.
#[derive(Debug, Clone, Copy, Default)]
struct Ready {
    socket: bool,
    ended: bool,
    woken: bool,
    stdout: bool,
    stderr: bool,
}

/// Takes a child that was started.
///
/// # Errors
///
/// When there are no descriptors for it; the child is killed and reaped.
pub(super) fn start(pool: &Arc<Pool>, started: Started, token: &WorkerToken) -> io::Result<()> {
    let Started { mut process, socket, journal, stdout, stderr } = started;
    let built = (|| {
        let (wake, waker) = pipe()?;
        rustix::io::ioctl_fionbio(&wake, true)?;
        rustix::io::ioctl_fionbio(&waker, true)?;
        Ok((wake, waker, journal.try_clone()?))
    })();
    let (wake, waker, their_journal) = built.inspect_err(|_: &io::Error| kill(&mut process))?;
    let pid = Pid::from_child(&process);
    let name = Arc::from(format!("{}-{}", pool.name, pid.as_raw_nonzero()));
    let child = Arc::new(Child::new(pid, Arc::clone(&name), socket, waker));
    let frames = pool.settings.max_payload.saturating_add(SMALL);
    let keeper = Keeper {
        end: sys::watch(pid),
        wake,
        pipes: Pipes::new(stdout, stderr, pool.settings.output),
        printed: Default::default(),
        decoder: Decoder::new(frames),
        journal,
        received: 0,
        running: None,
        deadline: Instant::now().checked_add(pool.settings.start_timeout),
        look: None,
        silence: Silence::of(pool.settings.start_timeout),
        refused: None,
        begun: 0,
        ending: false,
        oom_kills: death::oom_kills(),
        pool: Arc::clone(pool),
        child: Arc::clone(&child),
        process,
        _token: token.clone(),
    };
    let hello = Hello::new(pool.fingerprint, frame_limit(pool));
    // Before the thread, so that nothing can be written before it.
    let greeted = greet(&child, &hello, &their_journal);
    pool.roster.add(&child);
    let thread = thread::Builder::new().name(name.to_string());
    if let Err(error) = thread.spawn(move || keeper.run()) {
        // The keeper was dropped, and has settled everything.
        tracing::error!(%error, "there is no thread to keep a worker");
    }
    // A child that is gone already is found out by its thread.
    drop(greeted);
    Ok(())
}

fn kill(process: &mut process::Child) {
    let _ = process.kill();
    census::reap(Pid::from_child(process), || ((), process.wait().is_ok()));
}

fn frame_limit(pool: &Pool) -> u32 {
    u32::try_from(pool.settings.max_payload).unwrap_or(u32::MAX)
}

/// Sends the first frame, with the journal.
fn greet(child: &Child, hello: &Hello, journal: &File) -> io::Result<()> {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, sendmsg};
    let mut first = crate::process_pool::wire::Outbox::default();
    ToChild::Hello(hello.clone()).put(&mut first);
    let rights = [journal.as_fd()];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut buffer = SendAncillaryBuffer::new(&mut space);
    buffer.push(SendAncillaryMessage::ScmRights(&rights));
    // An empty channel takes all of it.
    first.write_with(|pieces| sendmsg(child.socket(), pieces, &mut buffer, sys::NO_SIGNAL))?;
    Ok(())
}

impl Keeper {
    /// Keeps the child until it ends; what is left to be done then, `drop` does.
    fn run(mut self) {
        loop {
            let ready = self.wait();
            if ready.woken {
                let _ = self.wake.read(&mut [0; 64]);
                self.heed_stage();
                self.listen_again();
            }
            let mut open = true;
            if ready.socket {
                open = self.read();
            }
            if ready.stdout {
                self.read_pipe(STDOUT);
            }
            if ready.stderr {
                self.read_pipe(STDERR);
            }
            self.pipes.stdout.write_pending();
            self.pipes.stderr.write_pending();
            self.watch_deadline();
            self.watch_memory();
            self.watch_silence();
            if ready.ended || !open {
                return;
            }
        }
    }

    /// Waits until something is to be done.
    fn wait(&self) -> Ready {
        let mut writing = PollFlags::empty();
        {
            let mut state = self.child.lock();
            if self.child.write(&mut state) {
                writing = PollFlags::OUT;
            }
        }
        let socket = self.child.socket();
        let sources = [self.pipes.stdout.source(), self.pipes.stderr.source()];
        let targets = [self.pipes.stdout.target(), self.pipes.stderr.target()];
        let mut watched = Vec::with_capacity(7);
        watched.push(PollFd::new(&socket, PollFlags::IN | writing));
        watched.push(PollFd::new(&self.wake, PollFlags::IN));
        // The others are looked at in this order.
        let others = [
            self.end.as_ref().map(|end| PollFd::new(end, PollFlags::IN)),
            sources[0].as_ref().map(|source| PollFd::new(source, PollFlags::IN)),
            sources[1].as_ref().map(|source| PollFd::new(source, PollFlags::IN)),
            targets[0].as_ref().map(|target| PollFd::new(target, PollFlags::OUT)),
            targets[1].as_ref().map(|target| PollFd::new(target, PollFlags::OUT)),
        ];
        let present = others.each_ref().map(Option::is_some);
        watched.extend(others.into_iter().flatten());
        let timeout = self.timeout();
        match poll(&mut watched, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => tracing::error!(%error, "a worker cannot be watched"),
        }
        let mut is_ready = watched.iter().map(|polled| !polled.revents().is_empty());
        let readable =
            watched[0].revents().intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR);
        let _ = is_ready.next();
        let woken = is_ready.next().unwrap_or_default();
        let mut next = |present: bool| present && is_ready.next().unwrap_or_default();
        let [ended, stdout, stderr] = [next(present[0]), next(present[1]), next(present[2])];
        Ready { socket: readable, ended, woken, stdout, stderr }
    }

    fn timeout(&self) -> Option<Timespec> {
        let at = self.deadline.into_iter().chain(self.look).chain(self.silence.next()).min()?;
        let left = at.saturating_duration_since(Instant::now());
        // A little too late rather than twice.
        let left = left + Duration::from_millis(1);
        Some(
            Timespec::try_from(left)
                .unwrap_or(Timespec { tv_sec: i64::from(i32::MAX), tv_nsec: 0 }),
        )
    }

    /// Reads what the child has said; `false` when it says nothing any more.
    fn read(&mut self) -> bool {
        loop {
            let space = self.decoder.space();
            let room = space.capacity() - space.len();
            let space = rustix::buffer::spare_capacity(space);
            match rustix::net::recv(self.child.socket(), space, RecvFlags::DONTWAIT) {
                Ok((0, _)) => return false,
                Ok((read, _)) => {
                    self.received += read as u64;
                    self.hear();
                    if read < room {
                        return true;
                    }
                }
                Err(Errno::AGAIN) => return true,
                Err(Errno::INTR) => {}
                Err(_) => return false,
            }
        }
    }

    /// Does what the frames say that are there, and gives the child more to do.
    fn hear(&mut self) {
        let mut ended = false;
        loop {
            let word = self.decoder.next().and_then(|raw| raw.map(FromChild::read).transpose());
            let heard = match word {
                Ok(None) => break,
                Ok(Some(word)) => {
                    ended |= matches!(
                        word,
                        FromChild::Done { .. }
                            | FromChild::Failed { .. }
                            | FromChild::Returned { .. }
                    );
                    self.hear_word(word)
                }
                Err(error) => Err(error),
            };
            if let Err(error) = heard {
                self.child.kill(Kill::Garbled(error.to_string()));
                // What comes after it is not to be believed.
                self.decoder = Decoder::new(0);
                return;
            }
        }
        if ended && !self.ending {
            self.pool.serve(&self.child);
        }
    }

    /// What became of the child in other threads may need a deadline.
    fn heed_stage(&mut self) {
        let stage = self.child.lock().stage;
        if stage == Stage::Leaving && self.deadline.is_none() {
            self.deadline = Instant::now().checked_add(LEAVE);
        }
    }

    fn watch_deadline(&mut self) {
        if self.deadline.is_some_and(|at| at <= Instant::now()) {
            self.deadline = None;
            let stage = self.child.lock().stage;
            self.child.kill(match stage {
                Stage::Greeting => Kill::NotReady,
                _ => Kill::Ordered,
            });
        }
    }

    fn watch_memory(&mut self) {
        let Some(limit) = self.pool.settings.memory_limit else { return };
        if self.running.is_none() {
            self.look = None;
            return;
        }
        let now = Instant::now();
        if self.look.is_some_and(|at| at > now) {
            return;
        }
        self.look = Some(now + MEMORY_LOOK);
        if let Some(used) = memory::resident(self.child.pid)
            && used > limit.get()
        {
            self.child.kill(Kill::Memory { limit: limit.get(), used });
        }
    }

    /// Reads what was printed.
    ///
    /// What a task prints that captures it can be read here before it was heard that the task
    /// has begun. That was said before it printed, so after the channel was read too it is
    /// known whose it is.
    fn read_pipe(&mut self, stream: usize) {
        let Some(bytes) = self.pipes.of(stream).read() else { return };
        if self.sink(stream).is_none() {
            self.printed[stream] = bytes;
            self.read();
            self.give_printed(stream);
        } else {
            self.printed[stream] = bytes;
            self.give_printed(stream);
        }
    }

    /// Hands on what was read and not handed on yet.
    fn give_printed(&mut self, stream: usize) {
        let bytes = std::mem::take(&mut self.printed[stream]);
        if !bytes.is_empty() {
            let sink = self.sink(stream);
            let tag = Tag { worker: &self.child.name, task: task_of(self.running.as_ref()) };
            self.pipes.of(stream).give(&bytes, sink.as_ref(), tag);
        }
    }

    /// Where goes what the task prints that runs, if it captures it.
    fn sink(&self, stream: usize) -> Option<OutputSink> {
        let attempt = &self.running.as_ref()?.attempt;
        let options = attempt.task().options();
        match stream {
            STDOUT => options.stdout.is_some().then(|| attempt.context().stdout()),
            _ => options.stderr.is_some().then(|| attempt.context().stderr()),
        }
    }

    /// Hands on everything that the task has printed so far that runs, as far as it captures it.
    fn drain_captured(&mut self) {
        for stream in [STDOUT, STDERR] {
            if let Some(sink) = self.sink(stream) {
                let task = task_of(self.running.as_ref());
                let tag = Tag { worker: &self.child.name, task };
                self.pipes.of(stream).drain(Some(&sink), tag);
            }
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.end();
    }
}

fn task_of(running: Option<&Running>) -> Option<TaskId> {
    running.map(|running| running.attempt.key().task_id)
}
