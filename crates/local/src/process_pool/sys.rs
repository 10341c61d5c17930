//! What differs from Unix to Unix.

use std::{
    fs::File,
    io::{self, IoSlice},
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendAncillaryBuffer, SendFlags, SocketFlags, SocketType, sendmsg,
        socketpair,
    },
    process::Pid,
};

/// How much a channel takes ahead of its reader, as far as the system allows: the more, the less
/// often the two sides of a large payload wait for each other.
const AHEAD: usize = 1024 * 1024;

/// A pair of connected sockets that no program inherits.
pub(super) fn channel() -> io::Result<(OwnedFd, OwnedFd)> {
    #[cfg(not(target_vendor = "apple"))]
    let flags = SocketFlags::CLOEXEC;
    #[cfg(target_vendor = "apple")]
    let flags = SocketFlags::empty();
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    #[cfg(target_vendor = "apple")]
    for end in [&ours, &theirs] {
        rustix::io::fcntl_setfd(end, rustix::io::FdFlags::CLOEXEC)?;
    }
    for end in [&ours, &theirs] {
        // With less it works as well.
        let _ = rustix::net::sockopt::set_socket_send_buffer_size(end, AHEAD);
    }
    Ok((ours, theirs))
}

/// A file without a name, for the journal.
pub(super) fn nameless_file() -> io::Result<File> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{MemfdFlags, memfd_create};
        Ok(File::from(memfd_create("outwork-journal", MemfdFlags::CLOEXEC)?))
    }
    #[cfg(not(target_os = "linux"))]
    tempfile::tempfile()
}

/// A descriptor that is readable once the process has ended, where there are such.
pub(super) fn watch(pid: Pid) -> Option<OwnedFd> {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{PidfdFlags, pidfd_open};
        pidfd_open(pid, PidfdFlags::empty()).ok()
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = pid;
        None
    }
}

/// Writes as much as there is room for; `WouldBlock` when there is none and `wait` is not set.
pub(super) fn send(socket: impl AsFd, pieces: &[IoSlice<'_>], wait: bool) -> io::Result<usize> {
    let flags = if wait { NO_SIGNAL } else { NO_SIGNAL.union(SendFlags::DONTWAIT) };
    loop {
        match sendmsg(&socket, pieces, &mut SendAncillaryBuffer::default(), flags) {
            Err(Errno::INTR) => {}
            sent => return Ok(sent?),
        }
    }
}

/// A peer that is gone is an error, and no signal.
#[cfg(not(target_vendor = "apple"))]
pub(super) const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;
/// There every Rust program ignores the signal.
#[cfg(target_vendor = "apple")]
pub(super) const NO_SIGNAL: SendFlags = SendFlags::empty();

/// Descriptors that come are inherited by no program.
#[cfg(not(target_vendor = "apple"))]
pub(super) const CLOSE_ON_EXEC: RecvFlags = RecvFlags::CMSG_CLOEXEC;
#[cfg(target_vendor = "apple")]
pub(super) const CLOSE_ON_EXEC: RecvFlags = RecvFlags::empty();
