//! The stock binary: every command, with the demo tasks.

use std::process::ExitCode;

fn main() -> ExitCode {
    outwork_cli::App::stock().main()
}
