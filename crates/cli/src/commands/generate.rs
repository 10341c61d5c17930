//! `outwork completions` and `outwork man`: what is made of the command line's description.

use clap_complete::Shell;

use crate::{args, exit_code::ExitCode, failure::Failure, output::Output};

/// Writes a completion script.
pub(super) fn completions(shell: Shell) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    let mut command = args::command();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut script);
    write(&script)
}

/// Writes the manual page, followed by one for each command.
pub(super) fn man() -> Result<ExitCode, Failure> {
    let mut command = args::command();
    command.build();
    let mut pages = Vec::new();
    let commands = command.get_subcommands().filter(|command| command.get_name() != "help");
    for command in std::iter::once(&command).chain(commands) {
        clap_mangen::Man::new(command.clone()).render(&mut pages).map_err(Failure::failed)?;
    }
    write(&pages)
}

fn write(bytes: &[u8]) -> Result<ExitCode, Failure> {
    let mut output = Output::standard()?;
    output.data(bytes)?;
    output.flush()?;
    Ok(ExitCode::Success)
}
