//! What was typed.

mod jobs;
mod remote;
mod worker;

use std::{env, ffi::OsString, num::NonZeroUsize, path::PathBuf, str::FromStr, time::Duration};

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;

pub(crate) use self::{
    jobs::{CancelArgs, PingArgs, ResultArgs, StatusArgs, SubmitArgs},
    remote::{BrokerArgs, QueueArgs},
    worker::WorkerArgs,
};
use crate::{duration::parse_time_limit, halt::HaltPolicy};

/// Run tasks and programs on threads, in processes, on event loops or on other machines: the same
/// commands, the same guarantees.
///
/// Data goes to standard output, everything else to standard error.
#[derive(Debug, Parser)]
#[command(name = "outwork", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "\
Exit codes: 0 all ok; 1 a task failed, crashed, timed out or was cancelled; 2 usage;
3 broker unreachable; 4 refused by the broker or a worker; 5 a wait timed out;
6 work was given back at the drain timeout; 69 no worker answered; 128+n ended by signal n.
The first Ctrl-C finishes what runs, the second cancels it, the third kills. Ctrl-Z stops what runs as well, and time limits run on.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Read this configuration file instead of ./outwork.toml
    #[arg(long, global = true, value_name = "FILE", help_heading = "Common options")]
    #[arg(env = "OUTWORK_CONFIG", hide_env_values = true)]
    pub(crate) config: Option<PathBuf>,

    /// Write results as JSON
    #[arg(long, global = true, help_heading = "Common options")]
    pub(crate) json: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Execute a program once for each line of input
    Exec(ExecArgs),
    /// Run one registered task and write its result as JSON
    Run(RunArgs),
    /// Run a registered task on each line of JSON; write a line of JSON for each
    Map(MapArgs),
    /// List the registered tasks
    Tasks,
    /// Measure how fast an executor runs a task that does nothing
    Bench(BenchArgs),
    /// Run the tasks of queues for everybody who submits to them
    Worker(WorkerArgs),
    /// Hand a task over for good and write its id
    Submit(SubmitArgs),
    /// Write the result of a job that was submitted
    Result(ResultArgs),
    /// Write what is known of a job that was submitted
    Status(StatusArgs),
    /// Ask a task to stop, wherever it is
    Cancel(CancelArgs),
    /// Find out whether the broker can be reached and a worker answers
    Ping(PingArgs),
    /// Write a completion script for a shell
    Completions(CompletionsArgs),
    /// Write the manual page
    Man,
    /// Show, check or start the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
}

const EXECUTOR_HELP: &str = "Where to run: threads[:N], processes[:N], loops[:N], background, inline, amqp, or a name from \
     the configuration";

const EXECUTOR_LONG_HELP: &str = "\
Where to run:
  threads[:N]    on N threads; the default
  processes[:N]  in N worker processes, which a task may crash
  loops[:N]      on N event loops, for tasks that wait
  background     on one event loop
  inline         one after the other, without concurrency
  amqp           on other machines, by their `worker`s, through RabbitMQ
or an executor that the configuration names. N is by default the number of CPUs that this \
process may use.";

/// Where tasks run.
#[derive(Debug, Args)]
pub(crate) struct ExecutorArgs {
    // Not a doc comment, which would read as a link.
    #[arg(long, value_name = "SPEC", help = EXECUTOR_HELP, long_help = EXECUTOR_LONG_HELP)]
    pub(crate) executor: Option<String>,

    #[command(flatten)]
    pub(crate) queue: QueueArgs,

    #[command(flatten)]
    pub(crate) broker: BrokerArgs,
}

/// `exec`.
#[derive(Debug, Args)]
#[command(after_help = "\
Inside arguments, and never through a shell, these stand for parts of the input line:
  {}    the line (-I renames it)       {.}   without its extension
  {/}   its last path component        {/.}  that without the extension
  {//}  its directory                  {#}   its number, from 1
Every other brace is literal. Without any of them the line is the last argument.

Examples:
  ls *.png | outwork exec -j4 -- convert {} {.}.jpg
  find . -name '*.log' -print0 | outwork exec -0 -- gzip
  outwork exec -a hosts --joblog log --resume --retries 2 --time-limit 30s -- ssh {} uptime
  outwork exec --executor amqp -a files -- sha256sum {}

Over AMQP a worker runs the program, if it was started with --allow-exec for it, in its own
directory and environment; files do not travel, and output above 8 MiB is an error.")]
pub(crate) struct ExecArgs {
    /// Read the lines from FILE instead of standard input
    #[arg(short = 'a', long = "arg-file", value_name = "FILE")]
    pub(crate) arg_file: Option<PathBuf>,

    /// How many run at once, by default as many as the pool has workers
    ///
    /// A thread pool without a size of its own gets that many workers. Over AMQP it is how many
    /// are on their way at once, 256 by default: how many run is for the workers to say.
    #[arg(short = 'j', long, value_name = "N", value_parser = parse_count)]
    #[arg(allow_negative_numbers = true)]
    pub(crate) jobs: Option<NonZeroUsize>,

    /// End input lines at NUL instead of newline
    #[arg(short = '0', long)]
    pub(crate) null: bool,

    /// Let STR stand for the input line instead of {}
    #[arg(short = 'I', long, value_name = "STR")]
    pub(crate) replace: Option<OsString>,

    /// Read no input: run once
    #[arg(long, conflicts_with_all = ["arg_file", "null"])]
    pub(crate) no_input: bool,

    /// Write output as soon as a run ends, not in the order of the input
    #[arg(long)]
    pub(crate) unordered: bool,

    /// Begin every line of output with the input line and a tab
    #[arg(long)]
    pub(crate) tag: bool,

    /// Record every run that ended in FILE, in the columns of GNU parallel
    #[arg(long, value_name = "FILE")]
    pub(crate) joblog: Option<PathBuf>,

    /// Pass over the runs that the joblog holds, by number and command
    #[arg(long, requires = "joblog", conflicts_with = "resume_failed")]
    pub(crate) resume: bool,

    /// Pass over the runs that the joblog holds as successful
    #[arg(long, requires = "joblog")]
    pub(crate) resume_failed: bool,

    /// Keep output, command and exit value of each run in DIR/1/, DIR/2/, …
    #[arg(long, value_name = "DIR")]
    pub(crate) results: Option<PathBuf>,

    /// Run again what fails, up to N more times
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    #[arg(value_parser = parse_from_zero::<u32>, allow_negative_numbers = true)]
    pub(crate) retries: u32,

    /// Stop a run after so long: seconds, or as in 500ms, 2m, 1h 30m
    #[arg(long, value_name = "D", value_parser = parse_time_limit)]
    #[arg(allow_negative_numbers = true)]
    pub(crate) time_limit: Option<Duration>,

    /// End early when runs fail: never, now or soon, after N failures now,fail=N or soon,fail=N
    ///
    /// now stops what runs, soon lets it finish.
    #[arg(long, value_name = "WHEN", default_value = "never", hide_default_value = true)]
    #[arg(value_parser = str::parse::<HaltPolicy>)]
    pub(crate) halt: HaltPolicy,

    /// Write the commands instead of executing them
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Show a progress bar, on a terminal only
    ///
    /// Without this there is one when a run takes long and its output goes to a file.
    #[arg(long)]
    pub(crate) bar: bool,

    /// Exit with the number of failed runs: at most 100, 101 for more
    #[arg(long)]
    pub(crate) exit_count: bool,

    #[command(flatten)]
    pub(crate) executor: ExecutorArgs,

    /// The program and its arguments
    #[arg(value_name = "PROGRAM", trailing_var_arg = true, required = true)]
    pub(crate) command: Vec<OsString>,
}

/// `run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The name of the task; `tasks` lists them
    pub(crate) task: String,

    /// Its argument
    #[arg(value_name = "ARGS-JSON", default_value = "null", allow_hyphen_values = true)]
    pub(crate) argument: String,

    #[command(flatten)]
    pub(crate) executor: ExecutorArgs,
}

/// `map`.
#[derive(Debug, Args)]
#[command(after_help = "\
Each line of input is the argument of one task. Each line of output is
  {\"index\":0,\"ok\":RESULT}  or  {\"index\":0,\"error\":{\"kind\":…,\"message\":…,\"line\":1}}
in the order of the input; the index is from 0, the line from 1.

Example:
  seq 5 | outwork map demo.echo")]
pub(crate) struct MapArgs {
    /// The name of the task; `tasks` lists them
    pub(crate) task: String,

    /// Read the lines from FILE instead of standard input
    #[arg(short = 'a', long = "arg-file", value_name = "FILE")]
    pub(crate) arg_file: Option<PathBuf>,

    /// How many are in flight at once, by default 1024, and over AMQP 4096
    #[arg(short = 'j', long, value_name = "N", value_parser = parse_count)]
    #[arg(allow_negative_numbers = true)]
    pub(crate) jobs: Option<NonZeroUsize>,

    /// Write each result as soon as there is one, not in the order of the input
    #[arg(long)]
    pub(crate) unordered: bool,

    #[command(flatten)]
    pub(crate) executor: ExecutorArgs,
}

/// `bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    pub(crate) executor: ExecutorArgs,

    /// How many tasks to run
    #[arg(long, value_name = "N", default_value = "100000", value_parser = parse_count)]
    #[arg(allow_negative_numbers = true)]
    pub(crate) tasks: NonZeroUsize,

    /// How many are in flight at once, by default 1024, and over AMQP 256
    #[arg(long, value_name = "N", value_parser = parse_count)]
    #[arg(allow_negative_numbers = true)]
    pub(crate) in_flight: Option<NonZeroUsize>,

    /// How many bytes each task is given and gives back
    #[arg(long, value_name = "BYTES", default_value_t = 64)]
    #[arg(value_parser = parse_from_zero::<usize>, allow_negative_numbers = true)]
    pub(crate) payload: usize,
}

/// `completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    pub(crate) shell: Shell,
}

/// `config`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Write the configuration that is in force
    Show,
    /// Check that the configuration can be used
    Check,
    /// Write a configuration file to start from
    Init,
}

/// Reads a number of things that cannot be none.
fn parse_count(text: &str) -> Result<NonZeroUsize, &'static str> {
    text.parse().map_err(|_| "use a whole number from 1")
}

/// Reads a number of things that may be none.
fn parse_from_zero<N: FromStr>(text: &str) -> Result<N, &'static str> {
    text.parse().map_err(|_| "use a whole number from 0, and not too large a one")
}

/// Reads the arguments of this process.
pub(crate) fn parse() -> Result<Cli, clap::Error> {
    Cli::from_arg_matches(&command().try_get_matches()?)
}

/// The command line under the name that this binary was called by: a person's own has another.
pub(crate) fn command() -> clap::Command {
    let called = env::args_os().next().map(PathBuf::from);
    let name = called.as_deref().and_then(|path| path.file_stem()?.to_str()).unwrap_or("outwork");
    let usage = format!("{name} exec [OPTIONS] [--] PROGRAM [ARG]...");
    Cli::command()
        .name(name.to_owned())
        .bin_name(name)
        .mut_subcommand("exec", |exec| exec.override_usage(usage))
}
