//! [`Trial`]: one executor, held to one promise.

use std::{
    path::PathBuf,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use futures_core::Stream;

use super::{Folder, Gate, Held, Items, Log, Stop, Watch, must, must_be};
use crate::{
    Cancel, Capabilities, EventFilter, Executor, Outcome, Phase, Rejection, Shutdown,
    ShutdownReport, State, Stopping, SubmitError, SubmitErrorKind, Task, TaskErrorKind, TaskHandle,
    TaskId, WaitError,
    blocking::{block_on, block_on_for},
    conformance::{
        Feature, Fixture, Spec,
        script::{Body, Script},
    },
};

/// How often a condition is looked at that nobody tells about.
const TICK: Duration = Duration::from_millis(1);

/// One executor, and the files by which its tasks are watched.
///
/// A check that goes wrong leaves by `?`: dropping the trial then stops its executor.
#[derive(Debug)]
pub(crate) struct Trial {
    /// Taken out only to see what becomes of tasks whose executor is dropped.
    executor: Option<Arc<dyn Executor>>,
    can: Capabilities,
    /// Whether there can be more than one worker.
    several: bool,
    patience: Duration,
    folder: Folder,
}

impl Trial {
    /// Builds an executor. Skips the check when the fixture cannot build it so.
    pub(crate) fn new(fixture: &dyn Fixture, spec: Spec) -> Held<Self> {
        spec.features().try_for_each(|feature| needs_feature(fixture, feature))?;
        Self::over(fixture.build(&spec), fixture)
    }

    /// Takes an executor that was built otherwise.
    pub(crate) fn over(executor: Arc<dyn Executor>, fixture: &dyn Fixture) -> Held<Self> {
        let can = executor.capabilities();
        let several = fixture.supports(Feature::Workers);
        let (executor, patience) = (Some(executor), fixture.patience());
        Ok(Self { executor, can, several, patience, folder: Folder::new()? })
    }

    /// An executor of two workers.
    pub(crate) fn usual(fixture: &dyn Fixture) -> Held<Self> {
        Self::new(fixture, Spec::default())
    }

    /// An executor of one worker, which is easily kept busy.
    pub(crate) fn single(fixture: &dyn Fixture) -> Held<Self> {
        Self::new(fixture, Spec::default().workers(1))
    }

    pub(crate) fn executor(&self) -> &dyn Executor {
        &**self.shared()
    }

    pub(crate) fn shared(&self) -> &Arc<dyn Executor> {
        self.executor.as_ref().expect("a check that drops its executor asks no more of it")
    }

    pub(crate) const fn can(&self) -> &Capabilities {
        &self.can
    }

    pub(crate) const fn patience(&self) -> Duration {
        self.patience
    }

    /// Longer than anybody waits: what takes so long does not happen in a check.
    pub(crate) fn long(&self) -> Duration {
        self.patience * 4
    }

    pub(crate) fn gate(&self, name: &str) -> Gate {
        self.folder.gate(name)
    }

    pub(crate) fn log(&self, name: &str) -> Log {
        self.folder.log(name)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The kinds of body that run here and can be written as a script.
    pub(crate) fn bodies(&self) -> Vec<Body> {
        [(Body::Sync, self.can.stop_sync), (Body::Async, self.can.stop_async)]
            .into_iter()
            .filter(|(_, stopping)| *stopping != Stopping::Never)
            .map(|(body, _)| body)
            .collect()
    }

    /// A task of the first kind of body that runs here.
    pub(crate) fn task(&self, script: Script) -> Task {
        self.bodies().first().unwrap_or(&Body::Sync).task(script)
    }

    /// Skips the check unless the executor can do this.
    pub(crate) fn needs(&self, can: bool, capability: &str) -> Held {
        if can {
            Ok(())
        } else {
            Err(Stop::skipped(format!("skipped because capability {capability}")))
        }
    }

    /// Skips the check where the caller has no handle while its task waits or runs.
    pub(crate) fn needs_ahead(&self) -> Held {
        self.needs(self.can.submits_ahead, "submits_ahead is false")
    }

    /// Skips the check where tasks cannot be made to wait behind others.
    pub(crate) fn needs_queue(&self) -> Held {
        self.needs_ahead()?;
        self.needs_sync()
    }

    /// Skips the check where tasks do not run beside each other.
    pub(crate) fn needs_concurrency(&self) -> Held {
        self.needs_queue()?;
        self.needs(self.can.concurrent, "concurrent is false")?;
        if self.several { Ok(()) } else { Err(unsupported(Feature::Workers)) }
    }

    pub(crate) fn needs_sync(&self) -> Held {
        self.needs(self.can.stop_sync != Stopping::Never, "stop_sync is never")
    }

    pub(crate) fn needs_async(&self) -> Held {
        self.needs(self.can.stop_async != Stopping::Never, "stop_async is never")
    }

    /// Waits until something is so that nobody tells about.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, mut so: impl FnMut() -> bool) -> Held {
        let deadline = Instant::now() + self.patience;
        while !so() {
            if Instant::now() > deadline {
                let message = format!("waited {:?} in vain until {what}", self.patience);
                return Err(Stop::broken(message));
            }
            thread::sleep(TICK);
        }
        Ok(())
    }

    /// Waits until bodies have written so many lines.
    #[track_caller]
    pub(crate) fn until_lines(&self, log: &Log, lines: usize) -> Held {
        let what = format!("{} has {lines} lines", log.path().display());
        self.until(&what, || log.count() >= lines)
    }

    /// Hands over a task that ends by itself.
    #[track_caller]
    pub(crate) fn submit(&self, task: Task) -> Held<TaskHandle> {
        match self.try_to_submit(task)? {
            Ok(handle) => Ok(handle),
            Err(error) => Err(Stop::broken(format!("a submission was refused: {error:?}"))),
        }
    }

    /// Hands over a task that may be refused.
    #[track_caller]
    pub(crate) fn try_to_submit(&self, task: Task) -> Held<Result<TaskHandle, SubmitError>> {
        if !self.can.submits_ahead {
            // The body runs within a single poll, which no deadline ends.
            return self.in_time(|executor| block_on(executor.submit(task)));
        }
        match block_on_for(self.executor().submit(task), Some(self.patience)) {
            Ok(result) => Ok(result),
            Err(error) => Err(Stop::broken(format!("no answer to a submission: {error}"))),
        }
    }

    /// Hands over a task that the check has to do something for while it runs.
    ///
    /// Where `submit` returns only when the task has ended, that is done on another thread.
    #[track_caller]
    pub(crate) fn begin(&self, task: Task) -> Held<Begun> {
        let id = task.id();
        if self.can.submits_ahead {
            return Ok(Begun { id, handle: Later::Here(self.submit(task)?) });
        }
        let (send, receive) = mpsc::channel();
        let (executor, patience) = (Arc::clone(self.shared()), self.patience);
        thread::Builder::new().name("conformance-submit".to_owned()).spawn(move || {
            // The check may have gone wrong and not listen any more.
            let _ = send.send(block_on_for(executor.submit(task), Some(patience)));
        })?;
        Ok(Begun { id, handle: Later::Coming(receive) })
    }

    /// Hands over a task that is to be refused, and says how it was.
    #[track_caller]
    pub(crate) fn refused(&self, task: Task) -> Held<Refused> {
        let original = task.clone();
        match self.try_to_submit(task)? {
            Err(error) => Refused::at_once(error, &original),
            Ok(handle) => Refused::by_outcome(&self.outcome(handle)?),
        }
    }

    /// The same without waiting for room.
    #[track_caller]
    pub(crate) fn refused_now(&self, task: Task) -> Held<Refused> {
        let original = task.clone();
        match self.executor().try_submit(task) {
            Err(error) => Refused::at_once(error, &original),
            Ok(handle) => Refused::by_outcome(&self.outcome(handle)?),
        }
    }

    /// Waits for the end of a task.
    #[track_caller]
    pub(crate) fn outcome<T>(&self, mut handle: TaskHandle<T>) -> Held<Outcome<T>> {
        match handle.wait_timeout(self.patience) {
            Ok(outcome) => Ok(outcome),
            Err(error) => Err(Stop::broken(format!("a handle did not resolve: {error}"))),
        }
    }

    /// Waits for the end of a task whose handle may still have to come.
    #[track_caller]
    pub(crate) fn outcome_of(&self, begun: Begun) -> Held<Outcome> {
        let handle = match begun.handle {
            Later::Here(handle) => handle,
            Later::Coming(handle) => match handle.recv_timeout(self.patience) {
                Ok(submitted) => submitted??,
                Err(_) => return Err(Stop::broken("a submission did not return")),
            },
        };
        self.outcome(handle)
    }

    /// Hands over a task and waits for its end.
    #[track_caller]
    pub(crate) fn run(&self, task: Task) -> Held<Outcome> {
        let handle = self.submit(task)?;
        self.outcome(handle)
    }

    /// Hands over a task and waits for what its script replies.
    #[track_caller]
    pub(crate) fn reply(&self, task: Task) -> Held<String> {
        let outcome = self.run(task)?;
        reply_of(outcome)
    }

    /// Waits for what the script of a task replies.
    #[track_caller]
    pub(crate) fn reply_of(&self, begun: Begun) -> Held<String> {
        let outcome = self.outcome_of(begun)?;
        reply_of(outcome)
    }

    /// Asks a task to stop.
    #[track_caller]
    pub(crate) fn cancel(&self, id: TaskId) -> Held<Cancel> {
        match block_on_for(self.executor().cancel(id), Some(self.patience)) {
            Ok(cancel) => Ok(cancel),
            Err(error) => Err(Stop::broken(format!("no answer to a cancellation: {error}"))),
        }
    }

    /// Asks a task to stop that is there to be asked.
    #[track_caller]
    pub(crate) fn cancel_live(&self, id: TaskId) -> Held {
        let cancel = self.cancel(id)?;
        let heard = matches!(cancel, Cancel::Requested | Cancel::Confirmed);
        must(format!("a live task can be cancelled, not {cancel:?}"), heard)
    }

    /// Takes the items of a stream.
    pub(crate) fn items<S: Stream>(&self, stream: S) -> Items<S> {
        Items::new(stream, self.patience)
    }

    /// Runs what blocks without a deadline of its own, on a thread that is left behind when it
    /// takes too long.
    #[track_caller]
    pub(crate) fn in_time<T: Send + 'static>(
        &self,
        run: impl FnOnce(&dyn Executor) -> T + Send + 'static,
    ) -> Held<T> {
        let (send, receive) = mpsc::channel();
        let executor = Arc::clone(self.shared());
        thread::Builder::new().name("conformance-call".to_owned()).spawn(move || {
            // Nobody may be waiting any more.
            let _ = send.send(run(&*executor));
        })?;
        match receive.recv_timeout(self.patience) {
            Ok(result) => Ok(result),
            Err(_) => Err(Stop::broken(format!("a call did not return in {:?}", self.patience))),
        }
    }

    /// Reads events from now on.
    pub(crate) fn watch(&self, filter: EventFilter) -> Watch {
        Watch::new(self.executor().events(filter), self.patience)
    }

    /// Keeps `n` workers busy until the gate is opened.
    #[track_caller]
    pub(crate) fn occupy(&self, n: usize) -> Held<Busy> {
        let (gate, log) = (self.gate("busy-gate"), self.log("busy-log"));
        let task = || Body::Sync.task(Script::new().note(&log, "busy").wait(&gate));
        let begun = (0..n).map(|_| self.begin(task())).collect::<Held<Vec<_>>>()?;
        self.until_lines(&log, n)?;
        Ok(Busy { gate, begun })
    }

    /// Lets the busy workers go, and waits for it.
    #[track_caller]
    pub(crate) fn release(&self, busy: Busy) -> Held {
        busy.gate.open()?;
        busy.begun.into_iter().try_for_each(|begun| {
            let outcome = self.outcome_of(begun)?;
            must_be("the end of a task that kept a worker busy", outcome.state(), State::Succeeded)
        })
    }

    /// Stops the executor and waits for it; no longer than usual when the deadline is long, as
    /// a stop that is possible at once does not take until its deadline.
    #[track_caller]
    pub(crate) fn stop(&self, how: Shutdown) -> Held<ShutdownReport> {
        let short = Some(how.deadline()).filter(|deadline| *deadline < self.patience);
        let patience = self.patience + short.unwrap_or_default();
        match block_on_for(self.executor().shutdown(how), Some(patience)) {
            Ok(report) => Ok(report),
            Err(error) => Err(Stop::broken(format!("the executor did not stop: {error}"))),
        }
    }

    /// Drops the executor, which must not wait for anything.
    #[track_caller]
    pub(crate) fn drop_executor(&mut self) -> Held {
        let executor = self.executor.take();
        let (send, receive) = mpsc::channel();
        thread::Builder::new().name("conformance-drop".to_owned()).spawn(move || {
            drop(executor);
            // Nobody may be waiting any more.
            let _ = send.send(());
        })?;
        must("dropping an executor waits for nothing", receive.recv_timeout(self.patience).is_ok())
    }

    /// Ends the trial: the executor has to stop, and to leave nothing behind.
    #[track_caller]
    pub(crate) fn finish(self) -> Held {
        let report = self.stop(Shutdown::drain(self.long()))?;
        must_be("whether the executor has stopped", report.stopped, true)?;
        self.must_be_at_rest()
    }

    /// A stopped executor holds nothing, and its counts add up.
    #[track_caller]
    pub(crate) fn must_be_at_rest(&self) -> Held {
        must_be("the phase after the stop", self.executor().status().phase, Phase::Stopped)?;
        // A worker that was given up may still hold what it was about to drop.
        self.until("nothing is in flight after the stop", || {
            let status = self.executor().status();
            status.in_flight == 0 && status.running == 0
        })?;
        let counts = self.executor().status().counts;
        let ended =
            counts.succeeded + counts.failed + counts.cancelled + counts.timed_out + counts.lost;
        must_be("the tasks that ended, by their sorts", ended, counts.submitted)
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        // After a check that went well this finds an executor that has stopped already.
        let Some(executor) = &self.executor else { return };
        let stop = Shutdown::abort(Duration::from_millis(100));
        let _ = block_on_for(executor.shutdown(stop), Some(Duration::from_secs(2)));
    }
}

/// Skips the check where the fixture cannot do this.
pub(crate) fn needs_feature(fixture: &dyn Fixture, feature: Feature) -> Held {
    if fixture.supports(feature) { Ok(()) } else { Err(unsupported(feature)) }
}

fn unsupported(feature: Feature) -> Stop {
    Stop::skipped(format!("skipped because the fixture does not support {feature:?}"))
}

#[track_caller]
fn reply_of(outcome: Outcome) -> Held<String> {
    match outcome.decode::<String>().into_result() {
        Ok(reply) => Ok(reply),
        Err(error) => Err(Stop::broken(format!("a task has no result: {error:?}"))),
    }
}

/// A task that was handed over, with its handle here or on its way.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) id: TaskId,
    handle: Later,
}

#[derive(Debug)]
enum Later {
    Here(TaskHandle),
    Coming(mpsc::Receiver<Result<Result<TaskHandle, SubmitError>, WaitError>>),
}

/// Workers that are kept busy.
#[derive(Debug)]
pub(crate) struct Busy {
    gate: Gate,
    begun: Vec<Begun>,
}

/// How a task was refused: at once and given back, or by its handle where acceptance takes
/// a round trip.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) kind: SubmitErrorKind,
    pub(crate) message: String,
}

impl Refused {
    #[track_caller]
    fn at_once(error: SubmitError, original: &Task) -> Held<Self> {
        let refused = Self { kind: error.kind(), message: error.to_string() };
        must_be("the task that was given back", &error.into_task(), original)?;
        Ok(refused)
    }

    #[track_caller]
    fn by_outcome(outcome: &Outcome) -> Held<Self> {
        let error = outcome.error().ok_or_else(|| Stop::broken("a task was not refused"))?;
        must_be("how often a refused task ran", outcome.attempts(), 0)?;
        let TaskErrorKind::Rejected(rejection) = error.kind() else {
            return Err(Stop::broken(format!("a task was not refused: {error:?}")));
        };
        let kind = match rejection {
            Rejection::UnknownTask => SubmitErrorKind::UnknownTask,
            Rejection::MaxInstances { .. } => SubmitErrorKind::MaxInstances,
            Rejection::Closed => SubmitErrorKind::Closed,
            Rejection::NotRecorded => SubmitErrorKind::Infrastructure,
            _ => return Err(Stop::broken(format!("refused for another reason: {error:?}"))),
        };
        Ok(Self { kind, message: error.to_string() })
    }
}
