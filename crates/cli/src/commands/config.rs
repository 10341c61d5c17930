//! `outwork config`: the configuration, shown, checked or started.

use std::{fs::OpenOptions, io::Write, path::Path};

use outwork_core::ExecutorKinds;

use crate::{
    args::ConfigCommand,
    config_file::{ConfigFile, FILE_NAME, TEMPLATE, unknown_variables},
    executors::Executors,
    exit_code::ExitCode,
    failure::Failure,
    output::Output,
};

/// Does what was asked for with the configuration.
pub(super) fn config(
    command: &ConfigCommand,
    named: Option<&Path>,
    json: bool,
    kinds: ExecutorKinds,
) -> Result<ExitCode, Failure> {
    let mut output = Output::standard()?;
    match command {
        ConfigCommand::Show => show(&mut output, &ConfigFile::load(named)?, json)?,
        ConfigCommand::Check => check(&mut output, named, kinds)?,
        ConfigCommand::Init => init(&mut output, named.unwrap_or(Path::new(FILE_NAME)))?,
    }
    output.flush()?;
    Ok(ExitCode::Success)
}

fn show(output: &mut Output, file: &ConfigFile, json: bool) -> Result<(), Failure> {
    let text = if json {
        serde_json::to_string(file).map_err(Failure::failed)? + "\n"
    } else {
        toml::to_string(file).map_err(Failure::failed)?
    };
    Ok(output.data(text.as_bytes())?)
}

/// Builds everything that it describes.
fn check(output: &mut Output, named: Option<&Path>, kinds: ExecutorKinds) -> Result<(), Failure> {
    let file = ConfigFile::load(named)?;
    let executors = Executors::new(file.clone(), kinds);
    for (name, config) in &file.executors {
        executors.check(config).map_err(|error| {
            Failure::usage(anyhow::Error::new(error).context(format!("executor {name:?}")))
        })?;
    }
    if let Some(spec) = &file.executor {
        executors.parse(spec)?;
    }
    for name in unknown_variables() {
        output.say(format_args!("the environment has {name}, which means nothing here"))?;
    }
    match ConfigFile::path(named)? {
        Some(path) => output.say(format_args!("{} can be used", path.display()))?,
        None => output.say(format_args!(
            "there is no {FILE_NAME} here, and none is needed; `config init` writes one"
        ))?,
    }
    Ok(())
}

/// Writes a file to start from. One that is there stays as it is.
fn init(output: &mut Output, path: &Path) -> Result<(), Failure> {
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(TEMPLATE.as_bytes()));
    written.map_err(|error| {
        Failure::usage(anyhow::Error::new(error).context(format!("cannot write {path:?}")))
    })?;
    Ok(output.say(format_args!("wrote {}", path.display()))?)
}
