//! From a command to what does it.

mod bench;
mod config;
mod exec;
mod generate;
mod jobs;
mod map;
mod ping;
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
    let file = || ConfigFile::load(config.as_deref());
    let executors = || Ok::<_, Failure>(Executors::new(file()?, kinds.clone()));
    match command {
        Command::Exec(args) => exec::exec(args, json, &executors()?, registry),
        Command::Run(args) => run::run(&args, json, &executors()?, registry),
        Command::Map(args) => map::map(args, &executors()?, registry),
        Command::Tasks => tasks::tasks(json, &registry),
        Command::Bench(args) => bench::bench(&args, json, &executors()?, registry),
        Command::Worker(args) => worker::worker(args, json, &executors()?, registry, is_stock),
        Command::Submit(args) => jobs::submit(args, json, &file()?),
        Command::Result(args) => jobs::result(&args, json, &file()?),
        Command::Status(args) => jobs::status(&args, json, &file()?),
        Command::Cancel(args) => jobs::cancel(args, json, &file()?),
        Command::Ping(args) => ping::ping(args, json, &file()?),
        Command::Completions(args) => generate::completions(args.shell),
        Command::Man => generate::man(),
        Command::Config(args) => config::config(&args, config.as_deref(), json, kinds.clone()),
    }
}
