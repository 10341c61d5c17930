//! Stopping executors.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::{
    Fixture, Spec,
    script::{Body, Script},
    support::{
        Begun, Gate, Held, Stop, Trial, attempts, checks, count, ms, must, must_be,
        with_enough_time,
    },
};
use crate::{
    AttachError, Batch, Cancel, EventFilter, Executor, JobHandle, LossReason, Outcome, Phase,
    RetryPolicy, Shutdown, ShutdownReport, State, Stopping, SubmitErrorKind, TaskErrorKind, TaskId,
    TaskOptions,
    blocking::{block_on, block_on_for},
};

checks! { "shutdown":
    an_idle_executor_stops:
        "An executor that has nothing to do stops, and nothing was cancelled or lost.",
    a_drain_finishes_everything:
        "A drain finishes what runs and what waits, delays and retries included.",
    cancel_pending_finishes_what_runs:
        "CancelPending cancels what waits, at once, and finishes what runs.",
    cancel_pending_ends_retries:
        "After CancelPending a failed attempt is not followed by another.",
    an_abort_stops_what_runs:
        "An abort cancels what waits and stops what runs.",
    the_deadline_bounds_a_stuck_body:
        "A body that cannot be stopped is given up at the deadline: the stop ends in time, \
         give or take a tenth, and the handle resolves.",
    the_deadline_forces_an_async_body:
        "An async body that does not end by the deadline is dropped, and its task Cancelled.",
    every_handle_resolves:
        "Whatever tasks are at when an executor is aborted, every handle resolves.",
    a_deadline_of_zero_resolves_everything:
        "A deadline that has passed already stops everything at once, and every handle resolves.",
    not_waiting_returns_at_once:
        "A shutdown that does not wait returns within 50 ms, and the stop goes on by itself.",
    stopping_again_changes_nothing:
        "Stopping is idempotent, one after the other and from many threads at once.",
    a_second_request_can_be_harsher:
        "A drain that goes on can be made an abort.",
    a_second_request_can_be_sooner:
        "A drain that goes on can be given a nearer deadline.",
    a_stopped_executor_takes_no_tasks:
        "After the stop every submission is refused as Closed and the tasks are given back.",
    a_stopped_executor_still_answers:
        "After the stop status, events, cancel and attach still answer.",
    a_draining_executor_takes_no_tasks:
        "While an executor drains every submission is refused as Closed.",
    who_waits_for_room_is_told:
        "A submission that waits for room when the executor is stopped is refused as Closed, \
         and the task is given back.",
    dropping_an_executor_is_cancel_pending:
        "Dropping an executor cancels what waits, lets what runs finish, waits for neither, \
         and every handle resolves.",
}

fn kind(outcome: &Outcome) -> Option<TaskErrorKind> {
    outcome.error().map(|error| error.kind().clone())
}

fn must_all_be(trial: &Trial, begun: Vec<Begun>, state: State) -> Held {
    begun
        .into_iter()
        .try_for_each(|begun| must_be("the state", trial.outcome_of(begun)?.state(), state))
}

fn must_have_stopped(trial: &Trial, report: ShutdownReport) -> Held {
    must_be("whether the executor has stopped", report.stopped, true)?;
    trial.must_be_at_rest()
}

fn an_idle_executor_stops(fixture: &dyn Fixture) -> Held {
    for how in [Shutdown::drain, Shutdown::cancel_pending, Shutdown::abort] {
        let trial = Trial::usual(fixture)?;
        let report = trial.stop(how(trial.long()))?;
        must_be("cancelled and lost", (report.cancelled, report.lost), (0, 0))?;
        must_have_stopped(&trial, report)?;
    }
    Ok(())
}

fn a_drain_finishes_everything(fixture: &dyn Fixture) -> Held {
    let trial = Trial::single(fixture)?;
    trial.needs_queue()?;
    let log = trial.log("log");
    let script = || Script::new().note(&log, "run");
    let busy = trial.occupy(1)?;
    let retry = TaskOptions::new().retry(RetryPolicy::fixed(count(3), ms(30)));
    let mut begun = Vec::new();
    for body in trial.bodies() {
        begun.push(trial.begin(body.task(script()))?);
        let delayed = body.task(script()).with_options(TaskOptions::new().delay(ms(100)));
        begun.push(trial.begin(delayed)?);
        let retried = body.task(script().fail_before(3, "not yet"));
        begun.push(trial.begin(retried.with_options(retry.clone()))?);
    }
    let runs = 5 * trial.bodies().len();
    trial.stop(Shutdown::drain(trial.long()).wait(false))?;
    trial.release(busy)?;
    let report = trial.stop(Shutdown::drain(trial.long()))?;
    must_be("cancelled and lost", (report.cancelled, report.lost), (0, 0))?;
    must_all_be(&trial, begun, State::Succeeded)?;
    must_be("the runs", log.count(), runs)?;
    must_have_stopped(&trial, report)
}

fn cancel_pending_finishes_what_runs(fixture: &dyn Fixture) -> Held {
    let trial = Trial::single(fixture)?;
    trial.needs_queue()?;
    let log = trial.log("log");
    let busy = trial.occupy(1)?;
    let mut begun = Vec::new();
    for _ in 0..3 {
        begun.push(trial.begin(Body::Sync.task(Script::new().note(&log, "run")))?);
    }
    let delay = TaskOptions::new().delay(trial.long());
    begun.push(trial.begin(trial.task(Script::new()).with_options(delay))?);
    trial.stop(Shutdown::cancel_pending(trial.long()).wait(false))?;
    must_all_be(&trial, begun, State::Cancelled)?;
    trial.release(busy)?;
    let report = trial.stop(Shutdown::cancel_pending(trial.long()))?;
    must_be("cancelled and lost", (report.cancelled, report.lost), (4, 0))?;
    must_be("the runs of what waited", log.count(), 0)?;
    must_have_stopped(&trial, report)
}

fn cancel_pending_ends_retries(fixture: &dyn Fixture) -> Held {
    let ends = |body: Body| {
        let trial = Trial::usual(fixture)?;
        let (gate, log) = (trial.gate("gate"), trial.log("log"));
        let script = Script::new().note(&log, "runs").wait(&gate).fail("try again");
        let options = TaskOptions::new().retry(attempts(3));
        let begun = trial.begin(body.task(script).with_options(options))?;
        trial.until_lines(&log, 1)?;
        trial.stop(Shutdown::cancel_pending(trial.long()).wait(false))?;
        gate.open()?;
        let report = trial.stop(Shutdown::cancel_pending(trial.long()))?;
        let state = trial.outcome_of(begun)?.state();
        must(format!("it ends: {state}"), matches!(state, State::Failed | State::Cancelled))?;
        must_be("the runs", log.count(), 1)?;
        must_have_stopped(&trial, report)
    };
    // A stop that is not waited for has 50 ms to be heard of wherever the body runs.
    let bodies = Trial::usual(fixture)?.bodies();
    bodies.into_iter().try_for_each(|body| in_three_tries(|| ends(body)))
}

fn an_abort_stops_what_runs(fixture: &dyn Fixture) -> Held {
    let trial = Trial::single(fixture)?;
    trial.needs_queue()?;
    let (gate, log) = (trial.gate("never"), trial.log("log"));
    let script = Script::new().note(&log, "runs").wait_or_stop(&gate);
    let mut begun = vec![trial.begin(Body::Sync.task(script))?];
    trial.until_lines(&log, 1)?;
    for _ in 0..3 {
        begun.push(trial.begin(Body::Sync.task(Script::new().note(&log, "run")))?);
    }
    let report = trial.stop(Shutdown::abort(trial.long()))?;
    must_be("cancelled and lost", (report.cancelled, report.lost), (4, 0))?;
    must_all_be(&trial, begun, State::Cancelled)?;
    must_be("the runs", log.count(), 1)?;
    must_have_stopped(&trial, report)
}

/// Tries three times: on a busy machine any thread may come late once.
fn in_three_tries(mut attempt: impl FnMut() -> Held) -> Held {
    attempt().or_else(|_| attempt()).or_else(|_| attempt())
}

/// A stop is neither early nor late: a tenth and 50 ms are given.
fn must_take(start: Instant, deadline: Duration) -> Held {
    let took = start.elapsed();
    let on_time = took >= deadline * 9 / 10 && took <= deadline * 11 / 10 + ms(50);
    must(format!("the stop takes {deadline:?}, and took {took:?}"), on_time)
}

fn the_deadline_bounds_a_stuck_body(fixture: &dyn Fixture) -> Held {
    in_three_tries(|| {
        let trial = Trial::single(fixture)?;
        trial.needs_queue()?;
        let (gate, log) = (trial.gate("gate"), trial.log("log"));
        let stuck = Body::Sync.task(Script::new().note(&log, "runs").wait(&gate));
        let begun = trial.begin(stuck)?;
        let queued = trial.begin(Body::Sync.task(Script::new().note(&log, "run")))?;
        trial.until_lines(&log, 1)?;
        let start = Instant::now();
        let report = trial.stop(Shutdown::drain(ms(600)))?;
        must_take(start, ms(600))?;
        must_be("the waiting task", trial.outcome_of(queued)?.state(), State::Cancelled)?;
        let outcome = trial.outcome_of(begun)?;
        if trial.can().stop_sync == Stopping::Cooperative {
            let Some(TaskErrorKind::WorkerLost(lost)) = kind(&outcome) else {
                return Err(Stop::broken(format!("a stuck body is lost, not {outcome:?}")));
            };
            must_be("the reason", lost.reason, LossReason::Abandoned)?;
            must_be("the lost tasks", report.lost, 1)?;
        } else {
            let state = outcome.state();
            must(format!("it ends: {state}"), matches!(state, State::Lost | State::Cancelled))?;
        }
        must_be("the runs", log.count(), 1)?;
        must_have_stopped(&trial, report)
    })
}

fn the_deadline_forces_an_async_body(fixture: &dyn Fixture) -> Held {
    // What is forced at the deadline has to be heard of within a tenth of it.
    with_enough_time(ms(300), |deadline| {
        let trial = Trial::usual(fixture)?;
        trial.needs_async()?;
        let (gate, log) = (trial.gate("gate"), trial.log("log"));
        let script = Script::new().note_at_end(&log, "dropped").note(&log, "runs").wait(&gate);
        let options = TaskOptions::new().grace(trial.long());
        let begun = trial.begin(Body::Async.task(script).with_options(options))?;
        trial.until_lines(&log, 1)?;
        let report = trial.stop(Shutdown::drain(deadline))?;
        must_be("cancelled and lost", (report.cancelled, report.lost), (1, 0))?;
        must_be("the state", trial.outcome_of(begun)?.state(), State::Cancelled)?;
        must_be("what the body did", log.lines(), ["runs", "dropped"])?;
        must_have_stopped(&trial, report)
    })
}

/// Tasks of all sorts: running, stuck at the gate, waiting, delayed, and between two attempts.
fn all_sorts(trial: &Trial) -> Held<(Vec<Begun>, Gate)> {
    let (gate, log) = (trial.gate("all-sorts"), trial.log("log"));
    let long = trial.long();
    let delay = TaskOptions::new().delay(long);
    let retry = TaskOptions::new().retry(RetryPolicy::fixed(count(3), long));
    let mut begun = Vec::new();
    for body in trial.bodies() {
        begun
            .push(trial.begin(body.task(Script::new().fail("again")).with_options(retry.clone()))?);
        begun.push(trial.begin(body.task(Script::new()).with_options(delay.clone()))?);
        begun.push(trial.begin(body.task(Script::new().note(&log, "runs").wait(&gate)))?);
        begun.push(trial.begin(body.task(Script::new().note(&log, "runs").await_stop()))?);
        begun.push(trial.begin(body.task(Script::new().reply("quick")))?);
    }
    trial.until_lines(&log, 1)?;
    Ok((begun, gate))
}

fn must_all_resolve(trial: &Trial, begun: Vec<Begun>) -> Held {
    begun.into_iter().try_for_each(|begun| {
        let state = trial.outcome_of(begun)?.state();
        must(format!("{state} is final"), state.is_final())
    })
}

fn every_handle_resolves(fixture: &dyn Fixture) -> Held {
    for how in [Shutdown::drain, Shutdown::cancel_pending, Shutdown::abort] {
        let trial = Trial::usual(fixture)?;
        trial.needs_ahead()?;
        let (begun, _gate) = all_sorts(&trial)?;
        let report = trial.stop(how(ms(200)))?;
        must_all_resolve(&trial, begun)?;
        must_have_stopped(&trial, report)?;
    }
    Ok(())
}

fn a_deadline_of_zero_resolves_everything(fixture: &dyn Fixture) -> Held {
    for how in [Shutdown::drain, Shutdown::cancel_pending, Shutdown::abort] {
        let trial = Trial::usual(fixture)?;
        trial.needs_ahead()?;
        let (begun, _gate) = all_sorts(&trial)?;
        let report = trial.stop(how(Duration::ZERO))?;
        must_all_resolve(&trial, begun)?;
        must_have_stopped(&trial, report)?;
    }
    Ok(())
}

fn not_waiting_returns_at_once(fixture: &dyn Fixture) -> Held {
    in_three_tries(|| {
        let trial = Trial::usual(fixture)?;
        let (gate, log) = (trial.gate("gate"), trial.log("log"));
        let begun = trial.begin(trial.task(Script::new().note(&log, "runs").wait(&gate)))?;
        trial.until_lines(&log, 1)?;
        let start = Instant::now();
        let report = trial.stop(Shutdown::drain(trial.long()).wait(false))?;
        let took = start.elapsed();
        must_be("whether it has stopped already", report.stopped, false)?;
        gate.open()?;
        must("the task succeeds", trial.outcome_of(begun)?.is_success())?;
        let phase = || trial.executor().status().phase;
        trial.until("the executor has stopped", || phase() == Phase::Stopped)?;
        must(format!("it returns within 50 ms, and took {took:?}"), took < ms(50))?;
        trial.must_be_at_rest()
    })
}

fn stopping_again_changes_nothing(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let begun = (0..4)
        .map(|_| trial.begin(trial.task(Script::new().sleep(ms(20)))))
        .collect::<Held<Vec<_>>>()?;
    let drain = Shutdown::drain(trial.long());
    // Where submissions run on other threads, their tasks have to be there first.
    trial.until("the tasks are there", || trial.executor().status().counts.submitted == 4)?;
    thread::scope(|scope| {
        let stops: Vec<_> = (0..4).map(|_| scope.spawn(|| trial.stop(drain))).collect();
        stops.into_iter().try_for_each(|thread| match thread.join() {
            Ok(report) => must_be("whether it has stopped", report?.stopped, true),
            Err(_) => must("no stop panics", false),
        })
    })?;
    must_all_be(&trial, begun, State::Succeeded)?;
    let report = trial.stop(Shutdown::abort(ms(1)))?;
    must_be("cancelled and lost", (report.cancelled, report.lost), (0, 0))?;
    must_have_stopped(&trial, report)
}

fn a_second_request_can_be_harsher(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let (gate, log) = (trial.gate("never"), trial.log("log"));
    let begun = trial.begin(trial.task(Script::new().note(&log, "runs").wait_or_stop(&gate)))?;
    trial.until_lines(&log, 1)?;
    trial.stop(Shutdown::drain(trial.long()).wait(false))?;
    let report = trial.stop(Shutdown::abort(trial.long()))?;
    must_be("the state", trial.outcome_of(begun)?.state(), State::Cancelled)?;
    must_have_stopped(&trial, report)
}

fn a_second_request_can_be_sooner(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_ahead()?;
    let (gate, log) = (trial.gate("gate"), trial.log("log"));
    let begun = trial.begin(trial.task(Script::new().note(&log, "runs").wait(&gate)))?;
    trial.until_lines(&log, 1)?;
    trial.stop(Shutdown::drain(trial.long()).wait(false))?;
    let report = trial.stop(Shutdown::drain(ms(100)))?;
    let state = trial.outcome_of(begun)?.state();
    must(format!("it is given up: {state}"), matches!(state, State::Lost | State::Cancelled))?;
    must_have_stopped(&trial, report)
}

/// Every way to submit is closed.
fn must_be_closed(trial: &Trial) -> Held {
    let task = || trial.task(Script::new());
    must_be("submit", trial.refused(task())?.kind, SubmitErrorKind::Closed)?;
    must_be("try_submit", trial.refused_now(task())?.kind, SubmitErrorKind::Closed)?;
    let tasks = vec![task(), task()];
    let batch = tasks.clone();
    let submit = move |executor: &dyn Executor| block_on(executor.submit_many(batch, Batch::Wait));
    match trial.in_time(submit)? {
        Ok(_) => Err(Stop::broken("a stopped executor takes a batch")),
        Err(error) => {
            must_be("submit_many", error.kind(), SubmitErrorKind::Closed)?;
            let expected: Vec<_> = tasks.into_iter().enumerate().collect();
            must_be("the tasks that were given back", error.into_parts().0, expected)
        }
    }
}

fn a_stopped_executor_takes_no_tasks(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let report = trial.stop(Shutdown::drain(trial.long()))?;
    must_be_closed(&trial)?;
    must_have_stopped(&trial, report)
}

fn a_draining_executor_takes_no_tasks(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let (gate, log) = (trial.gate("gate"), trial.log("log"));
    let begun = trial.begin(trial.task(Script::new().note(&log, "runs").wait(&gate)))?;
    trial.until_lines(&log, 1)?;
    trial.stop(Shutdown::drain(trial.long()).wait(false))?;
    must_be_closed(&trial)?;
    gate.open()?;
    must("the task succeeds", trial.outcome_of(begun)?.is_success())?;
    trial.finish()
}

fn a_stopped_executor_still_answers(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let handle = trial.submit(trial.task(Script::new()))?;
    let id = handle.task_id();
    let unknown = JobHandle::new(TaskId::new(), handle.job_handle().executor());
    trial.outcome(handle)?;
    let report = trial.stop(Shutdown::drain(trial.long()))?;
    must_have_stopped(&trial, report)?;
    must_be("cancel", trial.cancel(id)?, Cancel::NotFound)?;
    let none = block_on_for(trial.executor().cancel_all(), Some(trial.patience()))?;
    must_be("cancel_all", none, 0)?;
    let attached = block_on_for(trial.executor().attach(&unknown), Some(trial.patience()))?;
    must_be("attach", attached.map(drop), Err(AttachError::NotFound(unknown.into())))?;
    must_be("events", trial.watch(EventFilter::all()).rest()?.len(), 0)
}

fn who_waits_for_room_is_told(fixture: &dyn Fixture) -> Held {
    let trial = Trial::new(fixture, Spec::default().workers(1).limit(1))?;
    trial.needs_queue()?;
    let busy = trial.occupy(1)?;
    thread::scope(|scope| {
        let waiting = scope.spawn(|| trial.refused(Body::Sync.task(Script::new())));
        thread::sleep(ms(20));
        must("a submission without room waits", !waiting.is_finished())?;
        trial.stop(Shutdown::drain(trial.long()).wait(false))?;
        match waiting.join() {
            Ok(refused) => must_be("the answer", refused?.kind, SubmitErrorKind::Closed),
            Err(_) => must("the submission does not panic", false),
        }
    })?;
    trial.release(busy)?;
    trial.finish()
}

fn dropping_an_executor_is_cancel_pending(fixture: &dyn Fixture) -> Held {
    let mut trial = Trial::single(fixture)?;
    trial.needs_queue()?;
    let log = trial.log("log");
    let busy = trial.occupy(1)?;
    let waiting = (0..3)
        .map(|_| trial.begin(Body::Sync.task(Script::new().note(&log, "run"))))
        .collect::<Held<Vec<_>>>()?;
    let mut ends = trial.watch(EventFilter::all().only_final());
    trial.drop_executor()?;
    if trial.can().outlives_caller {
        trial.release(busy)?;
        return must_all_resolve(&trial, waiting);
    }
    must_all_be(&trial, waiting, State::Cancelled)?;
    trial.release(busy)?;
    must_be("the runs of what waited", log.count(), 0)?;
    for _ in 0..4 {
        ends.next()?;
    }
    must("then the executor has stopped", ends.read()?.is_none())
}
