//! A program that is fed lines and runs one command for each.

use std::{
    io::{ErrorKind, Seek, Write},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, anyhow, ensure};

/// Returns the commands per second of `program` over `lines` input lines, its own start and end included.
///
/// Stdin is a file that already holds every line, so nothing but the program under test runs; stdout goes to `/dev/null`.
///
/// # Errors
///
/// The program is not installed (the error then says `advice`), or it did not exit with 0.
pub(crate) fn rate(program: &mut Command, lines: usize, advice: &str) -> anyhow::Result<f64> {
    let mut input = tempfile::tempfile().context("a file for the input lines")?;
    input.write_all((1..=lines).map(|line| format!("{line}\n")).collect::<String>().as_bytes())?;
    input.rewind()?;
    program.stdin(input).stdout(Stdio::null());

    let start = Instant::now();
    let status = program.status().map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            anyhow!("{} was not found: {advice}", program.get_program().display())
        }
        _ => anyhow!(error).context(format!("{} did not start", program.get_program().display())),
    })?;
    let elapsed = start.elapsed();

    ensure!(status.success(), "{} ended with {status}", program.get_program().display());
    Ok(lines as f64 / elapsed.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_reads_every_line() {
        let mut program = Command::new("sh");
        program.args(["-c", "test \"$(wc -l)\" -eq 20"]);

        assert!(rate(&mut program, 20, "").unwrap() > 0.0);
    }

    #[test]
    fn a_missing_program_says_what_to_install() {
        let error = rate(&mut Command::new("no-such-program"), 1, "install it").unwrap_err();

        assert_eq!(error.to_string(), "no-such-program was not found: install it");
    }

    #[test]
    fn a_failing_program_gives_no_rate() {
        let error = rate(&mut Command::new("false"), 1, "").unwrap_err();

        assert_eq!(error.to_string(), "false ended with exit status: 1");
    }
}
