//! [`Group`]: the processes of one command.

use std::{
    io,
    process::{Child, ChildStdin, Command, ExitStatus},
    thread,
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::{census, watch};

/// The processes of one command, with the program itself at their head.
///
/// The group is killed when this is dropped before the program was [reaped](Self::reap).
#[derive(Debug)]
pub(super) struct Group {
    /// The program, until it is reaped. Not before then can the kernel give its number, which
    /// is the group's too, to another: signals are sent only while it is here.
    leader: Option<Child>,
}

impl Group {
    /// Starts a program as the first of its group, with the pipe to its input where it has one.
    pub(super) fn start(command: &mut Command) -> io::Result<(Self, Option<ChildStdin>)> {
        let mut leader = census::start(|| command.spawn(), Pid::from_child)?;
        let stdin = leader.stdin.take();
        Ok((Self { leader: Some(leader) }, stdin))
    }

    /// The number of the program and of its group; `None` once the program was reaped.
    pub(super) fn pid(&self) -> Option<Pid> {
        self.leader.as_ref().map(Pid::from_child)
    }

    /// Sends a signal to all processes of the group.
    pub(super) fn signal(&self, signal: Signal) {
        let Some(pid) = self.pid() else { return };
        if let Err(error) = kill_process_group(pid, signal) {
            // Such as a program that runs as another user.
            tracing::warn!(%error, pid = pid.as_raw_nonzero(), ?signal, "a command's group got no signal");
        }
    }

    /// Whether the program has ended. It stays a zombie.
    pub(super) fn has_ended(&self) -> bool {
        self.pid().is_none_or(|pid| {
            let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            // An error says that somebody else has reaped it.
            !matches!(waitid(WaitId::Pid(pid), look), Ok(None))
        })
    }

    /// Takes the program's exit status; `None` when it has not ended yet.
    ///
    /// # Errors
    ///
    /// When somebody else has reaped it, as the kernel does when this process ignores SIGCHLD.
    pub(super) fn reap(&mut self) -> io::Result<Option<ExitStatus>> {
        let Some(leader) = &mut self.leader else { return Ok(None) };
        let status = census::reap(Pid::from_child(leader), || {
            let status = leader.try_wait();
            let reaped = !matches!(status, Ok(None));
            (status, reaped)
        });
        if !matches!(status, Ok(None)) {
            self.leader = None;
        }
        status
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.leader.is_none() {
            return;
        }
        self.signal(Signal::KILL);
        if let Ok(None) = self.reap()
            && let Some(leader) = self.leader.take()
        {
            reap_elsewhere(leader);
        }
    }
}

/// Reaps a program that was killed but takes a moment to die.
fn reap_elsewhere(mut leader: Child) {
    census::forget(Pid::from_child(&leader));
    let thread = thread::Builder::new().name("outwork-reap".to_owned());
    let started = thread.spawn(move || {
        let group = Pid::from_child(&leader);
        if let Err(error) = leader.wait() {
            tracing::warn!(%error, pid = leader.id(), "a killed command was not reaped");
        }
        watch::reaped(group);
    });
    if let Err(error) = started {
        tracing::warn!(%error, "no thread to reap a killed command: it stays a zombie");
    }
}
