//! Two processes and a socketpair, without a pool.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use super::role::Role;
use crate::one_by_one;

/// What goes there and back.
const BYTES: usize = 64;

/// The median ns of 64 bytes to another process and back, one at a time, both sides blocking.
pub(crate) fn p50(calls: usize) -> anyhow::Result<f64> {
    let (mut here, there) = UnixStream::pair()?;
    let mut child = Role::Echo.command()?.stdin(OwnedFd::from(there)).spawn()?;
    let mut bytes = [7; BYTES];
    let nanos = one_by_one::p50(calls, || {
        here.write_all(&bytes).expect("the child reads");
        here.read_exact(&mut bytes).expect("the child answers");
    });
    drop(here);
    child.wait()?;
    Ok(nanos)
}

/// The other side: writes back what it reads, to the end.
pub(super) fn echo() -> io::Result<()> {
    let mut socket = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut bytes = [0; BYTES];
    loop {
        match socket.read_exact(&mut bytes) {
            Ok(()) => socket.write_all(&bytes)?,
            Err(end) if end.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
