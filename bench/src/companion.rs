//! Programs that work for this one while a side is measured.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use crate::output;

/// What a companion says on its standard output when it works.
const READY: &str = "ready\n";

/// How long a companion may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(20);

/// A program that works from when it is started until it is dropped.
///
/// It has to end when its standard input does, so that it is gone also when this process is killed.
pub(crate) struct Companion(Child);

impl Companion {
    /// Starts a program and waits until it says that it works.
    ///
    /// # Errors
    ///
    /// When it does not start, or ends instead.
    pub(crate) fn start(program: &mut Command) -> anyhow::Result<Self> {
        let name = program.get_program().display().to_string();
        let child = program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut companion = Self(child.with_context(|| format!("{name} did not start"))?);
        let output = companion.0.stdout.take().context("its output is piped")?;
        let mut said = String::new();
        BufReader::new(output).read_line(&mut said)?;
        if said != READY {
            bail!("{name} was to say {READY:?} and said {said:?}");
        }
        Ok(companion)
    }

    /// Waits until it has ended, for a while.
    fn ended(&mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            match self.0.try_wait() {
                Ok(None) => thread::sleep(Duration::from_millis(5)),
                Ok(Some(_)) | Err(_) => return true,
            }
        }
        false
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        self.0.stdin = None;
        if !self.ended() {
            output::talk("a worker did not end by itself and is killed");
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

/// In a companion: says that it works, and returns when it is let go of.
pub(crate) fn work_until_let_go() -> anyhow::Result<()> {
    output::data(READY)?;
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]);
        shell
    }

    #[test]
    fn a_companion_ends_when_it_is_let_go_of() {
        let folder = tempfile::tempdir().unwrap();
        let end = folder.path().join("end");
        let script = "echo ready; read -r _; touch \"$END\"";

        let companion = Companion::start(shell(script).env("END", &end)).unwrap();
        assert!(!end.exists());
        drop(companion);

        assert!(end.exists());
    }

    #[test]
    fn one_that_cannot_work_is_an_error() {
        let error = Companion::start(&mut shell("echo no broker")).err().unwrap();

        assert_eq!(error.to_string(), "sh was to say \"ready\\n\" and said \"no broker\\n\"");
    }
}
