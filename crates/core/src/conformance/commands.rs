//! Programs as tasks.

use std::path::Path;

use super::{
    Fixture,
    registry::COMMAND,
    support::{Held, Log, Trial, attempts, checks, ms, must, must_be, must_contain},
};
use crate::{CommandSpec, Outcome, Rejection, State, Stopping, Task, TaskErrorKind, TaskOptions};

checks! { "commands":
    a_program_runs_to_its_end:
        "A program that ends with code 0 succeeds, and what it printed is in the outcome.",
    arguments_are_passed_as_they_are:
        "Arguments reach the program as they are: no shell looks at them.",
    an_exit_code_is_an_error:
        "An exit code other than 0 is the error, with the output kept and its tail at hand.",
    a_signal_is_told_apart:
        "A program that was ended by a signal is told apart from one that exited.",
    a_missing_program_is_refused:
        "A program that does not exist is rejected by its name, and not tried again.",
    a_file_that_is_no_program_is_refused:
        "A file that may not be executed is rejected by its name.",
    a_program_has_the_folder_and_the_environment_it_was_given:
        "A program runs in the folder, and with the variables, that were asked for.",
    a_program_inherits_the_environment_unless_told_otherwise:
        "Variables are inherited, and removed or cleared where that was asked for.",
    standard_input_is_closed_or_fed:
        "A program finds its standard input at its end, or what it was given.",
    both_pipes_are_drained:
        "A program may fill both streams with any bytes, far beyond what a pipe holds.",
    a_cancelled_program_may_clean_up:
        "A program that is cancelled is asked first, and has its grace to clean up.",
    a_program_that_does_not_stop_is_killed:
        "A program that ignores the wish is killed after its grace.",
    nothing_of_a_cancelled_program_is_left:
        "When a cancelled program has stopped, the programs that it started have too.",
    a_time_limit_is_kept:
        "A program that exceeds its time limit is stopped, TimedOut, with its output kept.",
    an_exit_code_is_tried_again:
        "A program that fails is run again as its retry policy says.",
}

/// A trial whose executor runs programs.
fn programs(fixture: &dyn Fixture) -> Held<Trial> {
    let trial = Trial::usual(fixture)?;
    trial.needs(trial.can().stop_command != Stopping::Never, "stop_command is never")?;
    Ok(trial)
}

fn task(spec: &CommandSpec) -> Held<Task> {
    Ok(COMMAND.task(spec)?)
}

/// A line for a shell, with files as its arguments `$1`, `$2`.
fn shell(line: &str, files: &[&Path]) -> Held<Task> {
    let spec = CommandSpec::shell(line).arg("sh").args(files.iter().copied());
    task(&spec)
}

fn kind(outcome: &Outcome) -> Option<TaskErrorKind> {
    outcome.error().map(|error| error.kind().clone())
}

fn must_print(trial: &Trial, spec: &CommandSpec, expected: &str) -> Held {
    let outcome = trial.run(task(spec)?)?;
    must(format!("the program succeeds: {outcome:?}"), outcome.is_success())?;
    must_be("what it printed", outcome.stdout().text()?.as_str(), expected)
}

fn a_program_runs_to_its_end(fixture: &dyn Fixture) -> Held {
    let trial = programs(fixture)?;
    let outcome = trial.run(shell("echo out; echo err >&2", &[])?)?;
    let report = outcome.clone().decode::<crate::CommandReport>().into_result()?;
    must_be("the exit code", report.code, 0)?;
    must_be("the standard output", outcome.stdout().text()?, "out\n")?;
    must_be("the standard error", outcome.stderr().text()?, "err\n")?;
    trial.finish()
}

fn arguments_are_passed_as_they_are(fixture: &dyn Fixture) -> Held {
    let trial = programs(fixture)?;
    let words = ["a b", ";", "$HOME", "*", "'\"", "`id`", "", "|", "\\n", "é"];
    let spec = CommandSpec::new("printf")?.arg("<%s>").args(words);
    let expected: String = words.iter().map(|word| format!("<{word}>")).collect();
    must_print(&trial, &spec, &expected)?;
    trial.finish()
}

fn an_exit_code_is_an_error(fixture: &dyn Fixture) -> Held {
    let trial = programs(fixture)?;
    let outcome = trial.run(shell("echo out; echo what went wrong >&2; exit 7", &[])?)?;
    must_be("the error", kind(&outcome), Some(TaskErrorKind::Exited { code: 7 }))?;
    must_be("the state", outcome.state(), State::Failed)?;
    must_be("the standard output", outcome.stdout().text()?, "out\n")?;
    let tail = outcome.error().map(|error| error.stderr_tail().to_owned()).unwrap_or_default();
    must_contain("the tail of the standard error", &tail, "what went wrong")?;
    trial.finish()
}

fn a_signal_is_told_apart(fixture: &dyn Fixture) -> Held {
    let trial = programs(fixture)?;
    let outcome = trial.run(shell("kill -9 $$", &[])?)?;
    must_be("the error", kind(&outcome), Some(TaskErrorKind::Signalled { signal: 9 }))?;
    must_be("the state", outcome.state(), State::Failed)?;
    trial.finish()
}

fn a_missing_program_is_refused(fixture: &dyn Fixture) -> Held {
    let trial = programs(fixture)?;
    let program = "outwork-no-such-program".to_owned();
    let options = TaskOptions::new().retry(attempts(3));
    let outcome = trial.run(task(&CommandSpec::new(&*program)?)?.with_options(options))?;
    let rejected = TaskErrorKind::Rejected(Rejection::ProgramNotFound { program });
    must_be("the error", kind(&outcome), Some(rejected))?;
    must("it is not tried again", outcome.attempts() <= 1)?;
    trial.finish()
}

fn a_file_that_is_no_program_is_refused(fixture: &dyn Fixture) -> Held {
    let trial = programs(fixture)?;
    let path = trial.file("no-program");
    std::fs::write(&path, "only text")?;
    let program = path.display().to_string();
    let outcome = trial.run(task(&CommandSpec::new(&*program)?)?)?;
    let rejected = TaskErrorKind::Rejected(Rejection::ProgramNotExecutable { program });
    must_be("the error", kind(&outcome), Some(rejected))?;
    trial.finish()
}

fn a_program_has_the_folder_and_the_environment_it_was_given(fixture: &dyn Fixture) -> Held {
    let trial = programs(fixture)?;
    let folder = trial.file("here");
    std::fs::create_dir(&folder)?;
    let spec = CommandSpec::shell("basename \"$PWD\"; echo \"$CONFORMANCE_COLOUR\"")
        .cwd(&folder)
        .env("CONFORMANCE_COLOUR", "light blue");
    must_print(&trial, &spec, "here\nlight blue\n")?;
    trial.finish()
}

fn a_program_inherits_the_environment_unless_told_otherwise(fixture: &dyn Fixture) -> Held {
    let trial = programs(fixture)?;
    let shown = "echo ${PATH:+path} ${CONFORMANCE_A-none}";
    must_print(&trial, &CommandSpec::shell(shown), "path none\n")?;
    let removed = CommandSpec::shell(shown).env("CONFORMANCE_A", "1").env_remove("CONFORMANCE_A");
    must_print(&trial, &removed, "path none\n")?;
    let cleared = CommandSpec::new("/usr/bin/env")?.clear_env().env("CONFORMANCE_A", "1");
    must_print(&trial, &cleared, "CONFORMANCE_A=1\n")?;
    trial.finish()
}

fn standard_input_is_closed_or_fed(fixture: &dyn Fixture) -> Held {
    let trial = programs(fixture)?;
    must_print(&trial, &CommandSpec::new("cat")?, "")?;
    must_print(&trial, &CommandSpec::new("cat")?.stdin("fed"), "fed")?;
    let much = "0123456789abcdef".repeat(16 * 1024);
    must_print(&trial, &CommandSpec::new("cat")?.stdin(much.clone()), &much)?;
    trial.finish()
}

fn both_pipes_are_drained(fixture: &dyn Fixture) -> Held {
    let trial = programs(fixture)?;
    // More than any pipe holds, and little enough for a message.
    const MUCH: usize = 3 << 20;
    let fill = format!("head -c {MUCH} /dev/zero | tr '\\0' '\\377'");
    let outcome = trial.run(shell(&format!("{fill} & {fill} >&2; wait"), &[])?)?;
    must(format!("the program succeeds: {outcome:?}"), outcome.is_success())?;
    for stream in [outcome.stdout(), outcome.stderr()] {
        must_be("the length", stream.len(), MUCH as u64)?;
        must("every byte is kept", stream.bytes()?.iter().all(|byte| *byte == 0xff))?;
    }
    trial.finish()
}

/// Cancels a program once it has written a line, and waits for its end.
fn cancelled(trial: &Trial, task: Task, log: &Log) -> Held<Outcome> {
    let begun = trial.begin(task)?;
    trial.until_lines(log, 1)?;
    trial.cancel_live(begun.id)?;
    trial.outcome_of(begun)
}

fn a_cancelled_program_may_clean_up(fixture: &dyn Fixture) -> Held {
    let trial = programs(fixture)?;
    let log = trial.log("log");
    let line = "trap 'echo cleaned up >> \"$1\"; exit 3' TERM; \
                echo runs >> \"$1\"; while :; do sleep 0.02; done";
    let options = TaskOptions::new().grace(trial.long());
    let task = shell(line, &[log.path()])?.with_options(options);
    let outcome = cancelled(&trial, task, &log)?;
    must_be("the state", outcome.state(), State::Cancelled)?;
    must_be("what the program did", log.lines(), ["runs", "cleaned up"])?;
    trial.finish()
}

fn a_program_that_does_not_stop_is_killed(fixture: &dyn Fixture) -> Held {
    let trial = programs(fixture)?;
    let log = trial.log("log");
    let line = "trap '' TERM; echo runs >> \"$1\"; while :; do sleep 0.02; done";
    let task = shell(line, &[log.path()])?.with_options(TaskOptions::new().grace(ms(50)));
    let outcome = cancelled(&trial, task, &log)?;
    must_be("the state", outcome.state(), State::Cancelled)?;
    trial.finish()
}

/// Whether a process is there and not a mere entry that nobody has collected.
fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

fn nothing_of_a_cancelled_program_is_left(fixture: &dyn Fixture) -> Held {
    let trial = programs(fixture)?;
    trial.needs(Path::new("/proc/self/stat").exists(), "of this system: it has no /proc")?;
    for trap in ["", "trap '' TERM; "] {
        let log = trial.log(&format!("log-{}", trap.len()));
        let line = format!("{trap}sleep 300 & echo $! >> \"$1\"; wait");
        let options = TaskOptions::new().grace(ms(100));
        let task = shell(&line, &[log.path()])?.with_options(options);
        let outcome = cancelled(&trial, task, &log)?;
        must_be("the state", outcome.state(), State::Cancelled)?;
        let pid = log.lines().remove(0);
        trial.until("the program's own program has ended", || !is_alive(&pid))?;
    }
    trial.finish()
}

fn a_time_limit_is_kept(fixture: &dyn Fixture) -> Held {
    let trial = programs(fixture)?;
    let options = TaskOptions::new().time_limit(ms(300))?.grace(ms(100));
    let task = shell("echo so far; sleep 300", &[])?.with_options(options);
    let outcome = trial.run(task)?;
    must_be("the state", outcome.state(), State::TimedOut)?;
    must_be("the standard output", outcome.stdout().text()?, "so far\n")?;
    trial.finish()
}

fn an_exit_code_is_tried_again(fixture: &dyn Fixture) -> Held {
    let trial = programs(fixture)?;
    let log = trial.log("log");
    let options = TaskOptions::new().retry(attempts(3));
    let line = "echo run >> \"$1\"; test $(wc -l < \"$1\") -ge 2";
    let outcome = trial.run(shell(line, &[log.path()])?.with_options(options))?;
    must("the second attempt succeeds", outcome.is_success())?;
    must_be("the runs", log.count(), 2)?;
    trial.finish()
}
