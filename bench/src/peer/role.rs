//! This program as a child of its own peers.

use std::{env, io, process::Command};

/// Names the part that a child plays.
const VARIABLE: &str = "OUTWORK_BENCH_ROLE";

/// What this program can be started as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Ends at once.
    Exit,
    /// Writes back what it reads from the socket that is its standard input.
    Echo,
    /// Works for the program on bare lapin.
    LapinWorker,
}

impl Role {
    const ALL: [Self; 3] = [Self::Exit, Self::Echo, Self::LapinWorker];

    const fn name(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::Echo => "echo",
            Self::LapinWorker => "lapin-worker",
        }
    }

    /// This program, to be started in that role.
    ///
    /// # Errors
    ///
    /// When the path of this program is not known.
    pub(super) fn command(self) -> io::Result<Command> {
        let mut command = Command::new(env::current_exe()?);
        command.env(VARIABLE, self.name());
        Ok(command)
    }
}

/// Plays the part that this process was started for; `false` when there is none.
pub(crate) fn play() -> anyhow::Result<bool> {
    let Some(name) = env::var_os(VARIABLE) else { return Ok(false) };
    match Role::ALL.into_iter().find(|role| name == role.name()) {
        Some(Role::Echo) => super::ping_pong::echo()?,
        Some(Role::LapinWorker) => super::lapin::work()?,
        Some(Role::Exit) | None => {}
    }
    Ok(true)
}
