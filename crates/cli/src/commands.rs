//! From a command to what does it.

mod bench;
mod config;
mod exec;
mod generate;
mod map;
mod run;
mod tasks;
mod worker;

use crate::{
    app::App,
    args::{Cli, Command},
    config_file::ConfigFile,
    executors::Executors,
    exit_code::ExitCode,
    failure::Failure,
};

/// Does what was asked for.
pub(crate) fn run(app: App, cli: Cli) -> Result<ExitCode, Failure> {
    let Cli { command, config, json } = cli;
    let App { registry, kinds, is_stock } = app;
    let executors = || {
        let file = ConfigFile::load(config.as_deref())?;
        Ok::<_, Failure>(Executors::new(file, kinds.clone()))
    };
    match command {
        Command::Exec(args) => exec::exec(args, json, &executors()?, registry),
        Command::Run(args) => run::run(&args, json, &executors()?, registry),
        Command::Map(args) => map::map(args, &executors()?, registry),
        Command::Tasks => tasks::tasks(json, &registry),
        Command::Bench(args) => bench::bench(&args, json, &executors()?, registry),
        Command::Worker(args) => worker::worker(args, json, &executors()?, registry, is_stock),
        Command::Completions(args) => generate::completions(args.shell),
        Command::Man => generate::man(),
        Command::Config(args) => config::config(&args, config.as_deref(), json, kinds.clone()),
    }
}
