//! What the arguments mean: validated, with nothing left to choose.

use std::{ffi::OsString, num::NonZeroU32, path::PathBuf, time::Duration};

use outwork_core::{RetryPolicy, TaskOptions};

use crate::{
    args::{ExecArgs, ExecutorArgs},
    executors::InFlight,
    failure::Failure,
    halt::HaltPolicy,
    input::{Separator, Source},
    joblog::{JobLog, Logged, Resume},
    results::ResultsDir,
    template::Template,
};

/// What `exec` is to do.
#[derive(Debug)]
pub(crate) struct ExecConfig {
    pub(crate) template: Template,
    pub(crate) source: Source,
    pub(crate) separator: Separator,
    /// How each run is run.
    pub(crate) options: TaskOptions,
    pub(crate) executor: ExecutorArgs,
    pub(crate) in_flight: InFlight,
    pub(crate) halt: HaltPolicy,
    pub(crate) records: RecordsOfRuns,
    pub(crate) output: RunOutput,
    pub(crate) dry_run: bool,
    pub(crate) exit_count: bool,
}

/// How the output of runs is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunOutput {
    pub(crate) ordered: bool,
    pub(crate) tag: bool,
    pub(crate) json: bool,
    pub(crate) bar: bool,
}

/// Where runs are recorded.
#[derive(Debug, Default)]
pub(crate) struct RecordsOfRuns {
    joblog: Option<(PathBuf, Option<Resume>)>,
    results: Option<PathBuf>,
}

/// The open records, and what they hold already.
#[derive(Debug, Default)]
pub(crate) struct OpenRecords {
    pub(crate) joblog: Option<JobLog>,
    pub(crate) logged: Logged,
    pub(crate) results: Option<ResultsDir>,
}

impl ExecConfig {
    pub(crate) fn new(args: ExecArgs, json: bool) -> Result<Self, Failure> {
        let resume = match (args.resume, args.resume_failed) {
            (true, _) => Some(Resume::SkipLogged),
            (_, true) => Some(Resume::SkipSucceeded),
            (false, false) => None,
        };
        Ok(Self {
            template: template(&args.command, args.replace)?,
            source: if args.no_input {
                Source::NoInput
            } else {
                Source::from_arg_file(args.arg_file)
            },
            separator: if args.null { Separator::Nul } else { Separator::Newline },
            options: options(args.retries, args.time_limit)?,
            executor: args.executor,
            in_flight: args.jobs.map_or(InFlight::PoolSize, InFlight::Running),
            halt: args.halt,
            records: RecordsOfRuns {
                joblog: args.joblog.map(|path| (path, resume)),
                results: args.results,
            },
            output: RunOutput { ordered: !args.unordered, tag: args.tag, json, bar: args.bar },
            dry_run: args.dry_run,
            exit_count: args.exit_count,
        })
    }

    /// For runs on other machines: what is not shown need not travel.
    pub(crate) fn travel(&mut self) {
        self.options = std::mem::take(&mut self.options).last_output_only(true);
    }
}

fn template(command: &[OsString], replace: Option<OsString>) -> Result<Template, Failure> {
    Template::parse(command, replace.as_deref()).map_err(Failure::usage)
}

/// How each run, or a job, is run.
pub(crate) fn options(retries: u32, time_limit: Option<Duration>) -> Result<TaskOptions, Failure> {
    let attempts = NonZeroU32::MIN.saturating_add(retries);
    let options = TaskOptions::new().retry(RetryPolicy::fixed(attempts, Duration::ZERO));
    match time_limit {
        Some(limit) => options.time_limit(limit).map_err(Failure::usage),
        None => Ok(options),
    }
}

impl RecordsOfRuns {
    /// Opens everything, so that nothing is run that could not be recorded.
    pub(crate) fn open(self) -> Result<OpenRecords, Failure> {
        // First, because it leaves an earlier joblog alone when it fails.
        let results = self.results.map(ResultsDir::create).transpose().map_err(Failure::usage)?;
        let (joblog, logged) = match self.joblog {
            None => (None, Logged::default()),
            Some((path, None)) => {
                (Some(JobLog::create(&path).map_err(Failure::usage)?), Logged::default())
            }
            Some((path, Some(resume))) => {
                let (log, logged) = JobLog::resume(&path, resume).map_err(Failure::usage)?;
                (Some(log), logged)
            }
        };
        Ok(OpenRecords { joblog, logged, results })
    }

    /// What `--resume` would pass over, with nothing made or changed.
    pub(crate) fn logged(self) -> Result<Logged, Failure> {
        match self.joblog {
            Some((path, Some(resume))) if path.exists() => {
                JobLog::read(&path, resume).map_err(Failure::usage)
            }
            _ => Ok(Logged::default()),
        }
    }
}
