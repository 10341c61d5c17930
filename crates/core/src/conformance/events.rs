//! What executors tell about their tasks while they run.

use std::sync::Arc;

use super::{
    Fixture,
    script::{Body, Script},
    support::{Held, Stop, Trial, Watch, attempts, checks, ms, must, must_be, story},
};
use crate::{
    Cancel, EventFilter, EventKind, Lagged, Outcome, State, Task, TaskEvent, TaskId, TaskOptions,
    blocking::block_on_for,
};

checks! { "events":
    a_success_is_told_in_order:
        "A task that succeeds is submitted, started and finished, in this order and once.",
    an_error_is_told_in_order:
        "A task that fails is submitted, started and finished, in this order and once.",
    a_panic_is_told_in_order:
        "A task that panics is submitted, started and finished, in this order and once.",
    a_time_limit_is_told_in_order:
        "A task that times out is submitted, started and finished, in this order and once.",
    a_cancellation_is_told_in_order:
        "A running task that is cancelled is asked to stop before it is finished, each once.",
    a_cancellation_before_the_start_is_told_in_order:
        "A task that is cancelled before it starts is submitted and finished, and never started.",
    an_expiry_is_told_in_order:
        "A task that expires is submitted and finished, and never started.",
    undecodable_arguments_are_told_in_order:
        "A task whose arguments cannot be read has one final event, and it is the last.",
    retries_are_told_in_order:
        "Each attempt is started, and each that is followed by another says so; \
         one final event comes last.",
    progress_is_told_in_order:
        "What a body says of its progress is told between its start and its end.",
    tasks_beside_each_other_are_each_told_in_order:
        "One reader gets the events of tasks that run beside each other, each task's in order.",
    a_final_event_agrees_with_the_outcome:
        "The final event has the state and the error that the handle has.",
    several_readers_read_the_same:
        "Every reader gets every event.",
    a_filter_keeps_other_events_away:
        "A reader of one task, of one name or of ends gets those events and no others.",
    a_handle_has_the_events_of_its_task:
        "The events of a handle are those of its task.",
    a_slow_reader_is_told_what_it_missed:
        "A reader that is too slow loses the oldest events and is told how many; \
         nobody waits for it.",
    a_listener_that_panics_is_called_again:
        "A listener that panics is isolated: it gets the next event, and others get all.",
    a_listener_may_ask_and_submit:
        "A listener may ask the executor anything and submit to it: nothing is held meanwhile.",
    a_reader_that_left_is_no_burden:
        "When a reader leaves, tasks and other readers go on.",
    the_events_end_with_the_executor:
        "When the executor has stopped, every reader gets what is left, and then the end.",
}

/// Runs a task to its end and the executor to its stop, and returns how the task was told.
fn told(trial: Trial, task: Task) -> Held<(Vec<String>, Outcome)> {
    let watch = trial.watch(EventFilter::all());
    let id = task.id();
    let outcome = trial.run(task)?;
    trial.finish()?;
    Ok((story(&watch.rest()?, id), outcome))
}

/// Holds every kind of body to a story.
fn story_of(fixture: &dyn Fixture, make: impl Fn(Body) -> Held<Task>, expected: &[&str]) -> Held {
    for body in Trial::usual(fixture)?.bodies() {
        let (story, _) = told(Trial::usual(fixture)?, make(body)?)?;
        must_be("the events", story, expected)?;
    }
    Ok(())
}

fn a_success_is_told_in_order(fixture: &dyn Fixture) -> Held {
    let events = ["submitted", "started 1", "finished succeeded 1"];
    story_of(fixture, |body| Ok(body.task(Script::new())), &events)
}

fn an_error_is_told_in_order(fixture: &dyn Fixture) -> Held {
    let events = ["submitted", "started 1", "finished failed 1"];
    story_of(fixture, |body| Ok(body.task(Script::new().fail("an error"))), &events)
}

fn a_panic_is_told_in_order(fixture: &dyn Fixture) -> Held {
    let events = ["submitted", "started 1", "finished failed 1"];
    story_of(fixture, |body| Ok(body.task(Script::new().panic("a panic"))), &events)
}

fn a_time_limit_is_told_in_order(fixture: &dyn Fixture) -> Held {
    let events = ["submitted", "started 1", "finished timed_out 1"];
    let limit = TaskOptions::new().time_limit(ms(20))?;
    let script = Script::new().await_stop().fail("out of time");
    story_of(fixture, |body| Ok(body.task(script.clone()).with_options(limit.clone())), &events)
}

fn a_cancellation_is_told_in_order(fixture: &dyn Fixture) -> Held {
    for body in Trial::usual(fixture)?.bodies() {
        let trial = Trial::usual(fixture)?;
        let log = trial.log("log");
        let watch = trial.watch(EventFilter::all());
        let script = Script::new().note(&log, "runs").await_stop().fail("stopped");
        let begun = trial.begin(body.task(script))?;
        let id = begun.id;
        trial.until_lines(&log, 1)?;
        trial.cancel_live(id)?;
        must_be("the state", trial.outcome_of(begun)?.state(), State::Cancelled)?;
        trial.finish()?;
        let events = ["submitted", "started 1", "cancel requested", "finished cancelled 1"];
        must_be("the events", story(&watch.rest()?, id), events)?;
    }
    Ok(())
}

fn a_cancellation_before_the_start_is_told_in_order(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_ahead()?;
    let watch = trial.watch(EventFilter::all());
    let delay = TaskOptions::new().delay(trial.long());
    let begun = trial.begin(trial.task(Script::new()).with_options(delay))?;
    let id = begun.id;
    trial.cancel_live(id)?;
    must_be("the state", trial.outcome_of(begun)?.state(), State::Cancelled)?;
    trial.finish()?;
    let mut told = story(&watch.rest()?, id);
    // Where a request travels, it may be told as well.
    told.retain(|event| event != "cancel requested");
    must_be("the events", told, ["submitted", "finished cancelled 0"])
}

fn an_expiry_is_told_in_order(fixture: &dyn Fixture) -> Held {
    let trial = Trial::single(fixture)?;
    trial.needs_queue()?;
    let watch = trial.watch(EventFilter::all());
    let busy = trial.occupy(1)?;
    let options = TaskOptions::new().expires(ms(10));
    let begun = trial.begin(trial.task(Script::new()).with_options(options))?;
    let id = begun.id;
    std::thread::sleep(ms(30));
    trial.release(busy)?;
    trial.outcome_of(begun)?;
    trial.finish()?;
    must_be("the events", story(&watch.rest()?, id), ["submitted", "finished failed 0"])
}

fn undecodable_arguments_are_told_in_order(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_sync()?;
    let payload = crate::Payload::encode(crate::Codec::MessagePack, "no number")?;
    let task = Task::new(super::registry::DOUBLE.name(), payload);
    let (mut story, _) = told(trial, task)?;
    story.retain(|event| event != "started 1");
    // The arguments may be read before the body counts as started, or after.
    let told = story.len() == 2 && story[1].starts_with("finished failed");
    must(format!("beside the start there are the submission and the end: {story:?}"), told)
}

fn retries_are_told_in_order(fixture: &dyn Fixture) -> Held {
    let options = TaskOptions::new().retry(attempts(3));
    let script = Script::new().fail_before(3, "not yet");
    let events = [
        "submitted",
        "started 1",
        "retrying after 1",
        "started 2",
        "retrying after 2",
        "started 3",
        "finished succeeded 3",
    ];
    story_of(fixture, |body| Ok(body.task(script.clone()).with_options(options.clone())), &events)
}

fn progress_is_told_in_order(fixture: &dyn Fixture) -> Held {
    let script = Script::new().progress(1, 3).progress(2, 3).progress(3, 3);
    let events = [
        "submitted",
        "started 1",
        "progress 1",
        "progress 2",
        "progress 3",
        "finished succeeded 1",
    ];
    story_of(fixture, |body| Ok(body.task(script.clone())), &events)
}

fn tasks_beside_each_other_are_each_told_in_order(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_concurrency()?;
    let watch = trial.watch(EventFilter::all());
    let script = (1..=20).fold(Script::new(), |script, done| script.progress(done, 20));
    let tasks: Vec<_> = trial.bodies().repeat(8).iter().map(|b| b.task(script.clone())).collect();
    let ids: Vec<_> = tasks.iter().map(Task::id).collect();
    let begun = tasks.into_iter().map(|task| trial.begin(task)).collect::<Held<Vec<_>>>()?;
    for begun in begun {
        must("the task succeeds", trial.outcome_of(begun)?.is_success())?;
    }
    trial.finish()?;
    let events = watch.rest()?;
    let progress = (1..=20).map(|done| format!("progress {done}"));
    let begins = ["submitted", "started 1"].map(str::to_owned).into_iter();
    let expected: Vec<_> =
        begins.chain(progress).chain(["finished succeeded 1".to_owned()]).collect();
    ids.into_iter().try_for_each(|id| must_be("the events", &story(&events, id), &expected))
}

fn a_final_event_agrees_with_the_outcome(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let mut watch = trial.watch(EventFilter::all().only_final());
    let limit = TaskOptions::new().time_limit(ms(20))?;
    for body in trial.bodies() {
        let tasks = [
            body.task(Script::new()),
            body.task(Script::new().fail("an error")),
            body.task(Script::new().panic("a panic")),
            body.task(Script::new().await_stop().fail("late")).with_options(limit.clone()),
        ];
        for task in tasks {
            let outcome = trial.run(task)?;
            let EventKind::Finished { state, error } = watch.next()?.kind else {
                return Err(Stop::broken("an event came that is not final"));
            };
            must_be("the state", state, outcome.state())?;
            must_be("the error", error.as_ref(), outcome.error())?;
        }
    }
    trial.finish()
}

fn several_readers_read_the_same(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let watches = [(); 3].map(|()| trial.watch(EventFilter::all()));
    let task = trial.task(Script::new());
    let id = task.id();
    trial.run(task)?;
    trial.finish()?;
    for watch in watches {
        let told = story(&watch.rest()?, id);
        must_be("the events", told, ["submitted", "started 1", "finished succeeded 1"])?;
    }
    Ok(())
}

fn a_filter_keeps_other_events_away(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_sync()?;
    trial.needs_async()?;
    let (one, other) = (Body::Sync.task(Script::new()), Body::Async.task(Script::new()));
    let (id, name) = (one.id(), other.name().clone());
    let by_task = trial.watch(EventFilter::all().task(id));
    let by_name = trial.watch(EventFilter::all().name(name.clone()));
    let ends = trial.watch(EventFilter::all().only_final());
    trial.run(one)?;
    trial.run(other)?;
    trial.finish()?;
    let count = |watch: Watch, wanted: &dyn Fn(&TaskEvent) -> bool| -> Held<usize> {
        let events = watch.rest()?;
        must("no other event comes", events.iter().all(wanted))?;
        Ok(events.len())
    };
    must_be("the events of one task", count(by_task, &|event| event.task_id == id)?, 3)?;
    let named = |event: &TaskEvent| event.name.as_ref() == Some(&name);
    must_be("the events of one name", count(by_name, &named)?, 3)?;
    must_be("the final events", count(ends, &TaskEvent::is_final)?, 2)
}

fn a_handle_has_the_events_of_its_task(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_ahead()?;
    let gate = trial.gate("gate");
    let handle = trial.submit(trial.task(Script::new().wait(&gate).progress(1, 1)))?;
    let id = handle.task_id();
    let watch = Watch::new(handle.events(), trial.patience());
    let other = trial.submit(trial.task(Script::new().progress(7, 7)))?;
    gate.open()?;
    trial.outcome(other)?;
    trial.outcome(handle)?;
    trial.finish()?;
    let events = watch.rest()?;
    must("only its own events come", events.iter().all(|event| event.task_id == id))?;
    let told = story(&events, id);
    must(format!("progress and end are told: {told:?}"), {
        told.ends_with(&["progress 1".to_owned(), "finished succeeded 1".to_owned()])
    })
}

fn a_slow_reader_is_told_what_it_missed(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let room = std::num::NonZeroUsize::MIN.saturating_add(1);
    let mut slow = trial.watch(EventFilter::all().capacity(room));
    let quick = trial.watch(EventFilter::all());
    for _ in 0..5 {
        trial.run(trial.task(Script::new()))?;
    }
    trial.finish()?;
    must_be("the events of the quick reader", quick.rest()?.len(), 15)?;
    must_be(
        "what the slow one reads first",
        slow.read()?.map(Result::err),
        Some(Some(Lagged(13))),
    )?;
    let rest = slow.rest()?;
    must_be("the events that are left", rest.len(), 2)?;
    must("they are the last", rest.last().is_some_and(TaskEvent::is_final))
}

fn a_listener_that_panics_is_called_again(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let (send, called) = std::sync::mpsc::channel::<TaskId>();
    let listener = trial.executor().events(EventFilter::all().only_final()).listen(
        "conformance-listener",
        move |event| {
            if let Ok(event) = event {
                // The check may have gone wrong and not listen any more.
                let _ = send.send(event.task_id);
            }
            panic!("a listener panics on purpose");
        },
    )?;
    let other = trial.watch(EventFilter::all().only_final());
    let tasks = [(); 3].map(|()| trial.task(Script::new()));
    let ids = [tasks[0].id(), tasks[1].id(), tasks[2].id()];
    for task in tasks {
        must("the task succeeds", trial.run(task)?.is_success())?;
        called.recv_timeout(trial.patience())?;
    }
    trial.finish()?;
    let panics = || listener.panics();
    must("it panicked each time", panics() >= 2)?;
    listener.join();
    let told: Vec<_> = other.rest()?.iter().map(|event| event.task_id).collect();
    must_be("what the other reader got", told, ids)
}

fn a_listener_may_ask_and_submit(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let (send, asked) = std::sync::mpsc::channel();
    let executor = Arc::downgrade(trial.shared());
    let task = trial.task(Script::new());
    let (id, mut next) = (task.id(), Some(trial.task(Script::new().reply("from a listener"))));
    let filter = EventFilter::all().task(id);
    let listener =
        trial.executor().events(filter).listen("conformance-listener", move |_event| {
            let Some(executor) = executor.upgrade() else { return };
            let (running, _) = (executor.status().running, executor.events(EventFilter::all()));
            let cancelled = block_on_for(executor.cancel(TaskId::new()), None);
            let submitted = next.take().map(|task| executor.try_submit(task));
            // The check may have gone wrong and not listen any more.
            let _ = send.send((running, cancelled, submitted));
        })?;
    must("the task succeeds", trial.run(task)?.is_success())?;
    let (_, cancelled, submitted) = asked.recv_timeout(trial.patience())?;
    must_be("the answer to a cancellation", cancelled?, Cancel::NotFound)?;
    let handle = submitted.ok_or_else(|| Stop::broken("nothing was submitted"))??;
    let outcome = trial.outcome(handle.decoded::<String>())?;
    must_be("the result", outcome.into_result()?, "from a listener")?;
    trial.finish()?;
    listener.join();
    Ok(())
}

fn a_reader_that_left_is_no_burden(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let stays = trial.watch(EventFilter::all().only_final());
    for _ in 0..3 {
        let leaves = trial.watch(EventFilter::all());
        trial.run(trial.task(Script::new()))?;
        drop(leaves);
        trial.run(trial.task(Script::new()))?;
    }
    trial.finish()?;
    must_be("the ends that the other one read", stays.rest()?.len(), 6)
}

fn the_events_end_with_the_executor(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let mut stream = trial.executor().events(EventFilter::all());
    let patience = trial.patience();
    trial.run(trial.task(Script::new()))?;
    let late = Arc::clone(trial.shared());
    trial.finish()?;
    for _ in 0..3 {
        let event = block_on_for(stream.next(), Some(patience))?;
        must("what was told before the stop can still be read", matches!(event, Some(Ok(_))))?;
    }
    let end = block_on_for(stream.next(), Some(patience))?;
    must("then the events end", end.is_none())?;
    let after = block_on_for(late.events(EventFilter::all()).next(), Some(patience))?;
    must("who comes after the stop finds the end", after.is_none())
}
