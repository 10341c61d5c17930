//! [`Runs`]: the runs of `exec`, from their lines to their output.

use std::{
    task::{Context, Poll, ready},
    time::SystemTime,
};

use outwork_core::{Captured, CommandSpec, Outcome, SubmitError, Task};

use super::ending::Ending;
use crate::{
    command_line::CommandLine,
    config::{ExecConfig, OpenRecords},
    exit_code::ExitCode,
    failure::Failure,
    feed::Feed,
    halt::{Halt, HaltCounter},
    input::{InputError, Record},
    job_end::JobEnd,
    joblog::Entry,
    output::Output,
    own_tasks::EXEC,
    progress::Progress,
    pump::{Next, Work},
    results::RunResult,
    spool::{Finished, Limits, Spool},
    stopper::Stopper,
};

/// Output above this waits for its turn where it was captured, not in the spool, so that it is
/// never in memory at once.
const LARGE: u64 = 1 << 20;

/// The runs of `exec`.
pub(super) struct Runs {
    config: ExecConfig,
    records: OpenRecords,
    feed: Feed<Result<Record, InputError>>,
    output: Output,
    progress: Progress,
    stopper: Stopper,
    halt: HaltCounter,
    spool: Spool<Rest>,
    /// Bytes of large output that wait for their turn.
    large: u64,
    /// How many runs there were so far, those that were passed over not counted.
    count: u64,
    cancelled: u64,
    /// A worker on another machine does not allow the program.
    not_allowed: bool,
    input_error: Option<InputError>,
}

/// What is remembered of a run until it has ended.
pub(super) struct Run {
    index: u64,
    seq: u64,
    line: Option<Vec<u8>>,
    command: CommandLine,
}

/// What waits for its turn beside the output, where there is anything.
type Rest = Option<Box<Aside>>;

struct Aside {
    message: Option<String>,
    large: Option<(Captured, Captured)>,
}

impl Runs {
    pub(super) fn new(
        config: ExecConfig,
        records: OpenRecords,
        feed: Feed<Result<Record, InputError>>,
        mut output: Output,
        stopper: Stopper,
    ) -> Result<Self, Failure> {
        if records.logged.unreadable() > 0 {
            output.say(match records.logged.unreadable() {
                1 => {
                    "a line of the joblog is torn or garbled; what it logged runs again".to_owned()
                }
                lines => format!(
                    "{lines} lines of the joblog are torn or garbled; what they logged runs again"
                ),
            })?;
        }
        Ok(Self {
            progress: Progress::new(config.output.bar),
            halt: HaltCounter::new(config.halt),
            spool: Spool::new(Limits::default()),
            config,
            records,
            feed,
            output,
            stopper,
            large: 0,
            count: 0,
            cancelled: 0,
            not_allowed: false,
            input_error: None,
        })
    }

    /// Says what remains to be said, and how the whole went.
    pub(super) fn finish(mut self) -> Result<ExitCode, Failure> {
        self.progress.finish();
        if self.cancelled > 0 {
            let were = if self.cancelled == 1 { "run was" } else { "runs were" };
            self.output.say(format_args!("{} {were} cancelled", self.cancelled))?;
        }
        if let Some(error) = self.input_error {
            return Err(Failure::failed(error));
        }
        Ok(match self.stopper.signal() {
            Some(signal) => ExitCode::Signalled(signal),
            None if self.not_allowed && !self.config.exit_count => ExitCode::Refused,
            None => ExitCode::of_failures(self.halt.failed(), self.config.exit_count),
        })
    }

    /// The task for a line, unless it was run before or cannot be run.
    fn task(&mut self, record: Record) -> Result<Next<Run>, Failure> {
        let seq = record.number;
        let command = match self.config.template.expand(&record) {
            Ok(command) => command,
            Err(error) => {
                // The error names the line itself.
                let record = Record { line: None, ..record };
                let run = self.next_run(record, CommandLine::new("".into(), Vec::new()));
                self.done(run, Ending::refused(error.to_string()))?;
                return Ok(Next::Passed);
            }
        };
        if self.records.logged.skips(seq, &command) {
            return Ok(Next::Passed);
        }
        let run = self.next_run(record, command);
        match task(&run.command) {
            Ok(task) => Ok(Next::Task(task.with_options(self.config.options.clone()), run)),
            Err(error) => {
                self.done(run, Ending::refused(format!("{error:#}")))?;
                Ok(Next::Passed)
            }
        }
    }

    fn next_run(&mut self, record: Record, command: CommandLine) -> Run {
        let index = self.count;
        self.count += 1;
        self.progress.started();
        Run { index, seq: record.number, line: record.line, command }
    }

    /// A run has ended: it is recorded at once, and written when it is its turn.
    fn done(&mut self, run: Run, ending: Ending) -> Result<(), Failure> {
        let finished = if ending.never_began() {
            // One that was read after it may have begun: its turn has to come.
            let (tag, stdout, stderr) = (vec![], vec![], vec![]);
            Finished { index: run.index, tag, stdout, stderr, status: None }
        } else {
            self.count_end(&ending);
            if !ending.cancelled {
                self.record(&run, &ending)?;
            }
            self.finished(run, ending)
        };
        if !self.config.output.ordered {
            return self.write(finished);
        }
        self.spool.insert(finished).map_err(Failure::failed)?;
        while let Some(finished) = self.spool.pop().map_err(Failure::failed)? {
            self.write(finished)?;
        }
        Ok(())
    }

    fn count_end(&mut self, ending: &Ending) {
        let succeeded = ending.end.is_success();
        self.progress.ended(succeeded);
        self.cancelled += u64::from(ending.cancelled);
        self.not_allowed |= ending.not_allowed;
        if succeeded {
            return;
        }
        self.halt.count_failure();
        match self.halt.decision() {
            Some(Halt::Now) => self.stopper.now(),
            Some(Halt::Soon) => self.stopper.soon(),
            None => {}
        }
    }

    /// What was stopped by us is not recorded: with `--resume` it is to be run again.
    fn record(&self, run: &Run, ending: &Ending) -> Result<(), Failure> {
        if let Some(results) = &self.records.results {
            let Run { seq, command, .. } = run;
            let Ending { stdout, stderr, end, .. } = ending;
            let result = RunResult { seq: *seq, command, stdout, stderr, end: *end };
            results.save(&result).map_err(Failure::failed)?;
        }
        if let Some(joblog) = &self.records.joblog {
            let entry = Entry {
                seq: run.seq,
                host: ":",
                started: ending.started.unwrap_or_else(SystemTime::now),
                runtime: ending.run_time,
                received: ending.stdout.len(),
                end: ending.end,
                command: &run.command,
            };
            joblog.append(&entry).map_err(Failure::failed)?;
        }
        Ok(())
    }

    /// What waits for its turn: little in memory, whatever the run wrote.
    fn finished(&mut self, run: Run, mut ending: Ending) -> Finished<Rest> {
        let Run { index, seq, line, command } = run;
        if self.config.output.json {
            let stdout = ending.to_json(seq, line.as_deref(), &command);
            return Finished { index, tag: vec![], stdout, stderr: vec![], status: None };
        }
        let mut message = ending.message.take().filter(|_| !ending.cancelled);
        let mut large = None;
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        if ending.output_len() > LARGE {
            self.large += ending.output_len();
            large = Some((ending.stdout, ending.stderr));
        } else {
            match ending.output() {
                Ok(output) => (stdout, stderr) = output,
                Err(error) => message = Some(format!("its output cannot be read: {error}")),
            }
        }
        let message = message.map(|message| match line {
            Some(_) => format!("line {seq}: {message}"),
            None => message,
        });
        let status =
            (message.is_some() || large.is_some()).then(|| Box::new(Aside { message, large }));
        let tag = if self.config.output.tag { line.unwrap_or_default() } else { Vec::new() };
        Finished { index, tag, stdout, stderr, status }
    }

    fn write(&mut self, finished: Finished<Rest>) -> Result<(), Failure> {
        let Finished { tag, stdout, stderr, status, .. } = finished;
        let (output, progress) = (&mut self.output, &self.progress);
        let tag = self.config.output.tag.then_some(&tag[..]);
        let Aside { message, large } = match status {
            Some(aside) => *aside,
            None => Aside { message: None, large: None },
        };
        progress.suspend(stdout.is_empty() && stderr.is_empty(), || {
            output.program(tag, &stdout, &stderr)
        })?;
        if let Some((stdout, stderr)) = large {
            self.large -= stdout.len() + stderr.len();
            progress.suspend(false, || output.captured(tag, &stdout, &stderr))?;
        }
        if let Some(message) = message {
            progress.suspend(false, || output.note(message))?;
        }
        Ok(())
    }
}

fn task(command: &CommandLine) -> anyhow::Result<Task> {
    let spec = CommandSpec::new(command.program())?.args(command.args().iter().map(|a| &**a));
    Ok(EXEC.task(&spec)?)
}

impl Work for Runs {
    type Note = Run;

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Next<Run>, Failure>> {
        Poll::Ready(match ready!(self.feed.poll_next(cx)) {
            None => {
                self.progress.all_started();
                Ok(Next::End)
            }
            Some(Ok(record)) => self.task(record),
            Some(Err(error)) => {
                self.input_error = Some(error);
                Ok(Next::End)
            }
        })
    }

    fn has_room(&self) -> bool {
        self.spool.has_room() && self.large < Limits::default().outstanding
    }

    fn ended(&mut self, run: Run, end: Result<Outcome, SubmitError>) -> Result<(), Failure> {
        let mut ending = Ending::new(end);
        if let JobEnd::Signalled(signal) = ending.end
            && self.stopper.was_hit_by(signal)
        {
            ending.cancelled = true;
        }
        self.done(run, ending)
    }

    fn idle(&mut self) -> Result<(), Failure> {
        let (output, progress) = (&mut self.output, &self.progress);
        progress.suspend(false, || output.flush())?;
        Ok(())
    }
}
