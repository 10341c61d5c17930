//! `run_multiple` and `map`: many tasks, a few at once.

use std::{
    num::NonZeroUsize,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use super::{
    Fixture, Spec,
    order::most_at_once,
    registry::DOUBLE,
    script::{Body, SYNC, Script},
    support::{Held, Items, Log, Stop, Trial, checks, ms, must, must_be, with_enough_time},
};
use crate::{
    CallError, Cancel, EventFilter, EventKind, ExecutorExt, Limits, Outcome, RunMultiple, State,
    SubmitErrorKind, Task, TaskErrorKind, TaskOptions,
};

checks! { "streams":
    many_run_a_few_at_once:
        "run_multiple has never more tasks in flight than it was told, and runs all of them.",
    ends_come_as_they_happen:
        "run_multiple yields outcomes as the tasks end, each with its index.",
    one_end_does_not_end_the_rest:
        "A task that fails, panics, is cancelled or refused yields its error and stops nothing.",
    inputs_are_taken_as_there_is_room:
        "run_multiple takes no more tasks from its input than it may have in flight.",
    each_task_has_its_limit:
        "A task that exceeds its limit in run_multiple yields TimedOut, and the others go on.",
    all_tasks_have_one_limit:
        "When the total limit of run_multiple passes, what runs is stopped and nothing more taken.",
    dropping_run_multiple_cancels_the_rest:
        "Dropping the stream of run_multiple cancels what is in flight and starts nothing more.",
    a_map_keeps_the_order:
        "map yields results in the order of its inputs.",
    a_slow_input_keeps_its_place:
        "map yields the result of a slow input before those of quick ones that came after it.",
    a_map_is_lazy:
        "map takes an input only when there is room for it, so that inputs may be endless.",
    an_error_keeps_its_place:
        "An input that fails yields its error in its place, and stops nothing.",
    dropping_a_map_cancels_the_rest:
        "Dropping a map cancels what is in flight.",
    a_plain_thread_can_iterate:
        "A plain thread can take the items of map and run_multiple from iterators that block.",
}

fn at_once(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap_or(NonZeroUsize::MIN)
}

fn limits(n: usize) -> Limits {
    Limits::in_flight(at_once(n))
}

/// The index and the state of the next end.
#[track_caller]
fn next<'a>(ends: &mut Items<RunMultiple<'a>>) -> Held<(usize, State)> {
    match ends.next()? {
        Some((index, Ok(outcome))) => Ok((index, outcome.state())),
        Some((index, Err(error))) => {
            Err(Stop::broken(format!("task {index} was refused: {error}")))
        }
        None => Err(Stop::broken("the stream has ended too early")),
    }
}

fn many_run_a_few_at_once(fixture: &dyn Fixture) -> Held {
    let trial = Trial::new(fixture, Spec::default().workers(4))?;
    for body in trial.bodies() {
        let log = trial.log(&format!("{body:?}"));
        let script = || Script::new().note(&log, "+").sleep(ms(2)).note(&log, "-");
        let tasks = (0..20).map(|_| body.task(script()));
        let mut indices = Vec::new();
        let ends = trial.items(trial.executor().run_multiple(tasks, limits(2)));
        for (index, outcome) in ends.all()? {
            must("a task succeeds", outcome?.is_success())?;
            indices.push(index);
        }
        indices.sort_unstable();
        must_be("the indices", indices, (0..20).collect::<Vec<_>>())?;
        must("at most 2 run at once", most_at_once(&log.lines()) <= 2)?;
        must_be("starts and ends", log.count(), 40)?;
    }
    trial.finish()
}

fn ends_come_as_they_happen(fixture: &dyn Fixture) -> Held {
    let trial = Trial::new(fixture, Spec::default().workers(4))?;
    trial.needs_concurrency()?;
    let gates = ["gate-0", "gate-1", "gate-2"].map(|name| trial.gate(name));
    let tasks = gates.iter().map(|gate| Body::Sync.task(Script::new().wait(gate)));
    let tasks: Vec<_> = tasks.collect();
    let mut ends = trial.items(trial.executor().run_multiple(tasks, limits(3)));
    for index in [2, 0, 1] {
        gates[index].open()?;
        must_be("who has ended", next(&mut ends)?, (index, State::Succeeded))?;
    }
    must("then the stream ends", ends.next()?.is_none())?;
    drop(ends);
    trial.finish()
}

fn one_end_does_not_end_the_rest(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let contradiction = TaskOptions::new().delay(ms(2)).expires(ms(1));
    let tasks = vec![
        trial.task(Script::new().fail("an error")),
        trial.task(Script::new().panic("a panic")),
        trial.task(Script::new()).with_options(contradiction),
        trial
            .task(Script::new().await_stop().fail("late"))
            .with_options(TaskOptions::new().time_limit(ms(20))?),
        trial.task(Script::new()),
    ];
    let ends = trial.items(trial.executor().run_multiple(tasks, limits(1)));
    let told: Vec<_> = ends
        .all()?
        .into_iter()
        .map(|(index, end)| (index, end.map(|o| o.state()).map_err(|error| error.kind())))
        .collect();
    let expected = vec![
        (0, Ok(State::Failed)),
        (1, Ok(State::Failed)),
        (2, Err(SubmitErrorKind::InvalidOptions)),
        (3, Ok(State::TimedOut)),
        (4, Ok(State::Succeeded)),
    ];
    must_be("the ends", told, expected)?;
    trial.finish()
}

/// Tasks that are counted as they are taken.
fn counted<'a>(
    taken: &'a AtomicUsize,
    make: impl Fn() -> Task + Send + 'a,
) -> impl Iterator<Item = Task> + Send + 'a {
    std::iter::repeat_with(move || {
        taken.fetch_add(1, Ordering::SeqCst);
        make()
    })
}

fn inputs_are_taken_as_there_is_room(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let taken = AtomicUsize::new(0);
    let tasks = counted(&taken, || trial.task(Script::new()));
    let mut ends = trial.items(trial.executor().run_multiple(tasks, limits(3)));
    for yielded in 0..10 {
        let in_hand = taken.load(Ordering::SeqCst) - yielded;
        must(format!("{in_hand} inputs are held, not more than 3"), in_hand <= 3)?;
        next(&mut ends)?;
    }
    drop(ends);
    trial.finish()
}

fn each_task_has_its_limit(fixture: &dyn Fixture) -> Held {
    with_enough_time(ms(200), |limit| {
        let trial = Trial::usual(fixture)?;
        trial.needs_concurrency()?;
        let slow = trial.task(Script::new().await_stop().fail("stopped"));
        let slow_id = slow.id();
        let tasks = vec![slow, trial.task(Script::new()), trial.task(Script::new())];
        let ends = trial.executor().run_multiple(tasks, limits(2).per_task(limit));
        let mut states = Vec::new();
        for (index, outcome) in trial.items(ends).all()? {
            let outcome = outcome?;
            if let Some(TaskErrorKind::TimedOut { limit: told, .. }) =
                outcome.error().map(|e| e.kind())
            {
                must_be("the limit in the error", *told, limit)?;
            }
            states.push((index, outcome.state()));
        }
        states.sort_unstable_by_key(|(index, _)| *index);
        let expected = [(0, State::TimedOut), (1, State::Succeeded), (2, State::Succeeded)];
        must_be("the ends", states, expected)?;
        must_be("the slow task", trial.cancel(slow_id)?, Cancel::NotFound)?;
        trial.finish()
    })
}

fn all_tasks_have_one_limit(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_concurrency()?;
    let taken = AtomicUsize::new(0);
    let tasks = counted(&taken, || trial.task(Script::new().await_stop().fail("stopped")));
    let ends = trial.executor().run_multiple(tasks, limits(2).total(ms(100)));
    let mut states = Vec::new();
    for (_, outcome) in trial.items(ends).all()? {
        states.push(outcome?.state());
    }
    must_be("the ends", states, [State::TimedOut; 2])?;
    must_be("how many were taken", taken.load(Ordering::SeqCst), 2)?;
    trial.finish()
}

/// What is in flight when a stream is dropped is cancelled, and nothing more is started.
fn must_be_all_cancelled(trial: &Trial, log: &Log, drop_stream: impl FnOnce()) -> Held {
    let mut ends = trial.watch(EventFilter::all().only_final());
    trial.until_lines(log, 2)?;
    drop_stream();
    for _ in 0..2 {
        let event = ends.next()?;
        let state = match event.kind {
            EventKind::Finished { state, .. } => state,
            _ => State::Pending,
        };
        must_be("the end of a task that was in flight", state, State::Cancelled)?;
    }
    thread::sleep(ms(20));
    must_be("the runs", log.count(), 2)
}

fn dropping_run_multiple_cancels_the_rest(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_concurrency()?;
    for body in trial.bodies() {
        let log = trial.log(&format!("log-{body:?}"));
        let script = Script::new().note(&log, "runs").await_stop().fail("stopped");
        let mut tasks = vec![trial.task(Script::new())];
        tasks.extend((0..6).map(|_| body.task(script.clone())));
        let mut ends = trial.items(trial.executor().run_multiple(tasks, limits(3)));
        must_be("the first end", next(&mut ends)?, (0, State::Succeeded))?;
        must_be_all_cancelled(&trial, &log, || drop(ends))?;
    }
    trial.finish()
}

fn a_map_keeps_the_order(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_sync()?;
    let results = trial.items(trial.executor().map(DOUBLE, 100..200, at_once(8)));
    let results = results.all()?.into_iter().collect::<Result<Vec<_>, _>>()?;
    must_be("the results", results, (100..200).map(|n| n * 2).collect::<Vec<_>>())?;
    trial.finish()
}

fn a_slow_input_keeps_its_place(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_concurrency()?;
    let gate = trial.gate("gate");
    let scripts = [Script::new().wait(&gate).reply("first"), Script::new().reply("second")];
    let opener = trial.watch(EventFilter::all().only_final());
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut opener = opener;
            // Opened in any case, so that a wrong end is told and not waited for.
            let second = opener.next();
            gate.open().and(second)
        });
        let replies = trial.items(trial.executor().map(SYNC, scripts, at_once(2)));
        let replies = replies.all()?.into_iter().collect::<Result<Vec<_>, _>>()?;
        must_be("the results", replies, ["first", "second"])
    })?;
    trial.finish()
}

fn a_map_is_lazy(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_sync()?;
    let taken = AtomicUsize::new(0);
    let inputs = std::iter::repeat_with(|| {
        taken.fetch_add(1, Ordering::SeqCst);
        100
    });
    let mut results = trial.items(trial.executor().map(DOUBLE, inputs, at_once(3)));
    must_be("the inputs taken before anybody asks", taken.load(Ordering::SeqCst), 0)?;
    for yielded in 1..=10 {
        must_be("the result", results.next()?.transpose()?, Some(200))?;
        let in_hand = taken.load(Ordering::SeqCst) - yielded;
        must(format!("{in_hand} inputs are held beside the result"), in_hand < 3)?;
    }
    drop(results);
    trial.finish()
}

fn an_error_keeps_its_place(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_sync()?;
    let results = trial.items(trial.executor().map(DOUBLE, 12..=14, at_once(2))).all()?;
    let words = |result: Result<u64, CallError>| result.map_err(|error| error.to_string());
    let told: Vec<_> = results.into_iter().map(words).collect();
    let expected = [Ok(24), Err("13 brings bad luck".to_owned()), Ok(28)];
    must_be("the results", told, expected)?;
    trial.finish()
}

fn dropping_a_map_cancels_the_rest(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_concurrency()?;
    let log = trial.log("log");
    let stuck = Script::new().note(&log, "runs").await_stop().fail("stopped");
    let scripts = [Script::new().reply("first"), stuck.clone(), stuck];
    let mut replies = trial.items(trial.executor().map(SYNC, scripts, at_once(3)));
    must_be("the first result", replies.next()?.transpose()?.as_deref(), Some("first"))?;
    must_be_all_cancelled(&trial, &log, || drop(replies))?;
    trial.finish()
}

fn a_plain_thread_can_iterate(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_sync()?;
    let mapped = trial.in_time(|executor| {
        let results = executor.blocking_map(DOUBLE, 100..104, at_once(2));
        results.map(|result| result.map_err(|error| error.to_string())).collect::<Vec<_>>()
    })?;
    must_be("the results of map", mapped, [200, 202, 204, 206].map(Ok))?;
    let tasks = [(); 4].map(|()| trial.task(Script::new()));
    let ends = trial.in_time(move |executor| {
        let ends = executor.blocking_run_multiple(tasks, limits(2));
        ends.filter(|(_, end)| end.as_ref().is_ok_and(Outcome::is_success)).count()
    })?;
    must_be("the tasks of run_multiple that succeeded", ends, 4)?;
    trial.finish()
}
