//! When tasks start, and beside how many others.

use std::time::Instant;

use super::{
    Fixture, Spec,
    script::{Body, Script},
    support::{Held, Trial, checks, ms, must, must_be, with_enough_time},
};
use crate::{Priority, Task, TaskErrorKind, TaskOptions};

checks! { "order":
    tasks_run_beside_each_other:
        "As many synchronous bodies run at once as there are workers.",
    no_more_bodies_run_than_there_are_workers:
        "Never more synchronous bodies run at once than there are workers.",
    tasks_of_one_priority_start_in_order:
        "Tasks of one priority start in the order in which they were accepted.",
    a_higher_priority_goes_first:
        "Of the tasks that wait, those of a higher priority start first on the whole.",
    a_delayed_task_waits_for_its_time:
        "A task does not start before its delay is over.",
    a_delayed_task_stands_in_nobodys_way:
        "While a task waits for its delay, the workers run others.",
    a_task_that_is_late_expires:
        "A task that has not started when its expires has passed never runs, and ends as Expired.",
    a_task_that_started_in_time_does_not_expire:
        "Expires is about the start: a task that started in time is not stopped by it.",
}

fn tasks_run_beside_each_other(fixture: &dyn Fixture) -> Held {
    for workers in [1, 2, 4] {
        let trial = Trial::new(fixture, Spec::default().workers(workers))?;
        trial.needs_concurrency()?;
        let busy = trial.occupy(workers)?;
        trial.release(busy)?;
        trial.finish()?;
    }
    Ok(())
}

fn no_more_bodies_run_than_there_are_workers(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_queue()?;
    let log = trial.log("log");
    let task = || Body::Sync.task(Script::new().note(&log, "+").sleep(ms(2)).note(&log, "-"));
    let begun = (0..16).map(|_| trial.begin(task())).collect::<Held<Vec<_>>>()?;
    for begun in begun {
        must("a task succeeds", trial.outcome_of(begun)?.is_success())?;
    }
    must("at most 2 bodies run at once", most_at_once(&log.lines()) <= 2)?;
    trial.finish()
}

/// How many bodies ran at once, by the marks of their starts and ends.
pub(super) fn most_at_once(marks: &[String]) -> usize {
    let running = marks.iter().scan(0_usize, |running, mark| {
        *running = if mark == "+" { *running + 1 } else { running.saturating_sub(1) };
        Some(*running)
    });
    running.max().unwrap_or(0)
}

fn tasks_of_one_priority_start_in_order(fixture: &dyn Fixture) -> Held {
    let lines: Vec<_> = (0..30).map(|n| n.to_string()).collect();
    let tasks = lines.iter().map(|line| (line.as_str(), Priority::Normal));
    must_be("the order of the starts", starts(fixture, tasks)?, lines.clone())
}

fn a_higher_priority_goes_first(fixture: &dyn Fixture) -> Held {
    let trial = Trial::single(fixture)?;
    trial.needs(trial.can().priorities, "priorities is false")?;
    let levels = [("low", Priority::Low), ("normal", Priority::Normal), ("high", Priority::High)];
    let order = starts(fixture, std::iter::repeat_n(levels, 5).flatten())?;
    // Now and then a task of a lower level goes first, so that none is starved.
    let mean = |level: &str| {
        let places = (0..order.len()).filter(|place| order[*place] == level);
        places.sum::<usize>()
    };
    let in_order = mean("high") < mean("normal") && mean("normal") < mean("low");
    must(format!("high before normal before low: {order:?}"), in_order)?;
    trial.finish()
}

/// In what order tasks start that are accepted while the only worker is busy.
fn starts<'a>(
    fixture: &dyn Fixture,
    tasks: impl Iterator<Item = (&'a str, Priority)>,
) -> Held<Vec<String>> {
    let trial = Trial::single(fixture)?;
    trial.needs_queue()?;
    let log = trial.log("log");
    let busy = trial.occupy(1)?;
    let submit = |(line, priority)| {
        let options = TaskOptions::new().priority(priority);
        trial.begin(Body::Sync.task(Script::new().note(&log, line)).with_options(options))
    };
    let begun = tasks.map(submit).collect::<Held<Vec<_>>>()?;
    trial.release(busy)?;
    for begun in begun {
        trial.outcome_of(begun)?;
    }
    let lines = log.lines();
    trial.finish()?;
    Ok(lines)
}

fn delayed(task: Task, milliseconds: u64) -> Task {
    task.with_options(TaskOptions::new().delay(ms(milliseconds)))
}

fn a_delayed_task_waits_for_its_time(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let start = Instant::now();
        must("it runs", trial.run(delayed(body.task(Script::new()), 100))?.is_success())?;
        must("it does not run before its time", start.elapsed() >= ms(100))?;
    }
    trial.finish()
}

fn a_delayed_task_stands_in_nobodys_way(fixture: &dyn Fixture) -> Held {
    with_enough_time(ms(300), |delay| {
        let trial = Trial::single(fixture)?;
        trial.needs_ahead()?;
        let log = trial.log("log");
        let late = trial.task(Script::new().note(&log, "delayed"));
        let late = trial.begin(late.with_options(TaskOptions::new().delay(delay)))?;
        trial.run(trial.task(Script::new().note(&log, "other")))?;
        must("it runs", trial.outcome_of(late)?.is_success())?;
        must_be("the order of the runs", log.lines(), ["other", "delayed"])?;
        trial.finish()
    })
}

fn a_task_that_is_late_expires(fixture: &dyn Fixture) -> Held {
    let trial = Trial::single(fixture)?;
    trial.needs_queue()?;
    let log = trial.log("log");
    let busy = trial.occupy(1)?;
    let late = trial.begin(
        trial
            .task(Script::new().note(&log, "run"))
            .with_options(TaskOptions::new().expires(ms(20))),
    )?;
    std::thread::sleep(ms(40));
    trial.release(busy)?;
    let outcome = trial.outcome_of(late)?;
    let kind = outcome.error().map(|error| error.kind().clone());
    must_be("the error", kind, Some(TaskErrorKind::Expired))?;
    must_be("the attempts", outcome.attempts(), 0)?;
    // The only worker has passed it by when it runs what came after it.
    trial.run(trial.task(Script::new()))?;
    must_be("the runs", log.count(), 0)?;
    trial.finish()
}

fn a_task_that_started_in_time_does_not_expire(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let options = TaskOptions::new().expires(ms(500));
        let script = Script::new().sleep(ms(600)).reply("finished");
        must_be("the result", trial.reply(body.task(script).with_options(options))?, "finished")?;
    }
    trial.finish()
}
