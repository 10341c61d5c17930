//! [`ExitWatch`]: notices that a program has ended, and leaves it as a zombie.

use std::{
    future::Future,
    io,
    os::fd::OwnedFd,
    pin::Pin,
    task::{Context, Poll, ready},
    thread,
};

use rustix::{
    io::Errno,
    process::{Pid, WaitId, WaitIdOptions, waitid},
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::oneshot,
};

/// By what the end of a program is noticed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Notice {
    /// A process descriptor, or a thread where the kernel has none.
    #[default]
    Best,
    /// A thread, for tests.
    #[cfg(test)]
    Thread,
}

/// Notices that a program has ended, and leaves it as a zombie.
#[derive(Debug)]
pub(super) enum ExitWatch {
    /// A descriptor that is readable once the process has ended.
    Descriptor(AsyncFd<OwnedFd>),
    /// A thread that waits for it.
    Thread(oneshot::Receiver<()>),
}

impl ExitWatch {
    /// # Errors
    ///
    /// When the runtime cannot watch a descriptor, or there is no thread.
    pub(super) fn new(pid: Pid, notice: Notice) -> io::Result<Self> {
        match notice {
            Notice::Best => match open(pid) {
                Some(descriptor) => register(descriptor).map(Self::Descriptor),
                None => watch(pid).map(Self::Thread),
            },
            #[cfg(test)]
            Notice::Thread => watch(pid).map(Self::Thread),
        }
    }

    /// Resolves once the program has ended, again and again.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Descriptor(descriptor) => {
                let mut ready = ready!(descriptor.poll_read_ready(cx))?;
                ready.retain_ready();
                Poll::Ready(Ok(()))
            }
            Self::Thread(told) if told.is_terminated() => Poll::Ready(Ok(())),
            // A thread that panicked has nothing more to tell either.
            Self::Thread(told) => Pin::new(told).poll(cx).map(|_| Ok(())),
        }
    }
}

#[expect(deprecated, reason = "an OwnedFd keeps its descriptor open, as the unsafe successor asks")]
fn register(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(descriptor, Interest::READABLE)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn open(pid: Pid) -> Option<OwnedFd> {
    use rustix::process::{PidfdFlags, pidfd_open};
    pidfd_open(pid, PidfdFlags::NONBLOCK).ok()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn open(_pid: Pid) -> Option<OwnedFd> {
    None
}

/// Waits for the program on a thread of its own: in a shared pool, commands that take long
/// would keep the end of others from being noticed.
fn watch(pid: Pid) -> io::Result<oneshot::Receiver<()>> {
    let (tell, told) = oneshot::channel();
    let thread = thread::Builder::new().name("outwork-wait".to_owned());
    thread.spawn(move || {
        let wait = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(Errno::INTR) = waitid(WaitId::Pid(pid), wait) {}
        // Nobody listens when the command was dropped.
        let _ = tell.send(());
    })?;
    Ok(told)
}
