//! Calls from inside a task to the executor that runs it.

mod reach;

pub(super) use reach::{Ask, Nest};

use self::reach::{Reachable, WOULD_DEADLOCK};
use super::{
    Feature, Fixture, Spec,
    script::{Body, Script},
    support::{Held, Trial, checks, must, must_be},
    support::{ms, needs_feature},
};
use crate::{Phase, Shutdown, SubmitErrorKind, TaskContext, blocking::block_on_for};

checks! { "nesting":
    a_sync_body_can_wait_for_another_task:
        "A synchronous body that waits for a task of its own executor gets the result, \
         or is told that it would wait for ever.",
    an_async_body_can_await_another_task:
        "An async body that awaits a task of its own executor gets the result.",
    an_async_body_that_blocks_is_not_stuck:
        "An async body that blocks on a task of its own executor gets the result, \
         or is told that it would wait for ever.",
    calls_can_be_nested_deeply:
        "Calls from task to task on one worker end, however deep they go.",
    a_task_can_submit_to_its_own_full_executor:
        "A task that submits to its own full executor is answered, and does not wait for itself.",
    every_task_sees_its_own_context:
        "The current context is that of the innermost task, and that of the outer one again \
         afterwards.",
    no_context_is_left_behind:
        "Once a body has returned or panicked its context is gone from the thread.",
    every_question_can_be_asked_from_a_task:
        "Status, events and cancellation can be asked for from a task.",
    a_task_can_stop_its_own_executor:
        "A task that shuts its own executor down ends well, and the executor stops after it.",
}

/// A trial whose bodies can reach its executor.
fn reachable(fixture: &dyn Fixture, spec: Spec) -> Held<(Trial, Reachable)> {
    needs_feature(fixture, Feature::Nesting)?;
    let trial = Trial::new(fixture, spec)?;
    let reachable = Reachable::new(trial.shared());
    Ok((trial, reachable))
}

fn inner() -> Script {
    Script::new().reply("inner")
}

/// Every kind of body that can be called from the outer one.
fn call_every_body(fixture: &dyn Fixture, outer: Body, blocking: bool) -> Held {
    let (trial, here) = reachable(fixture, Spec::default().workers(1))?;
    for body in trial.bodies() {
        let ask = Ask::Call { body, script: inner(), blocking };
        let reply = trial.reply(outer.task(Script::new().nest(here.nest(ask))))?;
        let allowed = reply == "inner" || (blocking && reply == WOULD_DEADLOCK);
        must(format!("a nested call of a {body:?} body ends well: {reply}"), allowed)?;
    }
    trial.finish()
}

fn a_sync_body_can_wait_for_another_task(fixture: &dyn Fixture) -> Held {
    Trial::usual(fixture)?.needs_sync()?;
    call_every_body(fixture, Body::Sync, true)
}

fn an_async_body_can_await_another_task(fixture: &dyn Fixture) -> Held {
    Trial::usual(fixture)?.needs_async()?;
    call_every_body(fixture, Body::Async, false)
}

fn an_async_body_that_blocks_is_not_stuck(fixture: &dyn Fixture) -> Held {
    Trial::usual(fixture)?.needs_async()?;
    call_every_body(fixture, Body::Async, true)
}

fn calls_can_be_nested_deeply(fixture: &dyn Fixture) -> Held {
    let (trial, here) = reachable(fixture, Spec::default().workers(1))?;
    for body in trial.bodies() {
        let deeper = |script| {
            Script::new().nest(here.nest(Ask::Call { body, script, blocking: body == Body::Sync }))
        };
        let reply = trial.reply(body.task((0..4).fold(inner(), |script, _| deeper(script))))?;
        let allowed = reply == "inner" || (body == Body::Sync && reply == WOULD_DEADLOCK);
        must(format!("nested calls of {body:?} bodies end well: {reply}"), allowed)?;
    }
    trial.finish()
}

fn a_task_can_submit_to_its_own_full_executor(fixture: &dyn Fixture) -> Held {
    for body in Trial::usual(fixture)?.bodies() {
        let (trial, here) = reachable(fixture, Spec::default().workers(1).limit(1))?;
        let ask = Ask::Call { body, script: inner(), blocking: body == Body::Sync };
        let reply = trial.reply(body.task(Script::new().nest(here.nest(ask))))?;
        let full = format!("refused: {:?}", SubmitErrorKind::Full);
        let allowed = ["inner", WOULD_DEADLOCK, &full].contains(&reply.as_str());
        must(format!("a {body:?} body is answered: {reply}"), allowed)?;
        trial.finish()?;
    }
    Ok(())
}

fn every_task_sees_its_own_context(fixture: &dyn Fixture) -> Held {
    let (trial, here) = reachable(fixture, Spec::default().workers(1))?;
    for body in trial.bodies() {
        let log = trial.log(&format!("{body:?}"));
        let script = Script::new().note_context(&log);
        let ask = Ask::Call { body, script, blocking: body == Body::Sync };
        let outer = Script::new().note_context(&log).nest(here.nest(ask)).note_context(&log);
        trial.run(body.task(outer))?;
        trial.until_lines(&log, 3)?;
        must_be("whose contexts were current", log.lines(), ["own", "own", "own"])?;
    }
    trial.finish()
}

fn no_context_is_left_behind(fixture: &dyn Fixture) -> Held {
    let trial = Trial::single(fixture)?;
    for body in trial.bodies() {
        let log = trial.log(&format!("{body:?}"));
        // The submission itself may run the body, so it has to be made on this thread.
        let crash = body.task(Script::new().note_context(&log).panic("in a context"));
        let handle = block_on_for(trial.executor().submit(crash), Some(trial.patience()))??;
        must("no context is current outside of a task", TaskContext::current().is_none())?;
        trial.outcome(handle)?;
        trial.run(body.task(Script::new().note_context(&log)))?;
        must_be("whose contexts were current", log.lines(), ["own", "own"])?;
    }
    trial.finish()
}

fn every_question_can_be_asked_from_a_task(fixture: &dyn Fixture) -> Held {
    let (trial, here) = reachable(fixture, Spec::default().workers(1))?;
    for body in trial.bodies() {
        let script = Script::new().nest(here.nest(Ask::Questions));
        must_be("what the task heard", trial.reply(body.task(script))?, "1 in flight, NotFound")?;
    }
    trial.finish()
}

fn a_task_can_stop_its_own_executor(fixture: &dyn Fixture) -> Held {
    for body in Trial::usual(fixture)?.bodies() {
        let (trial, here) = reachable(fixture, Spec::default().workers(1))?;
        let script = Script::new().nest(here.nest(Ask::Shutdown)).reply("done");
        must_be("the task's result", trial.reply(body.task(script))?, "done")?;
        trial.until("the executor has stopped", || {
            trial.executor().status().phase == Phase::Stopped
        })?;
        must("a stopped executor stops at once", trial.stop(Shutdown::drain(ms(50)))?.stopped)?;
        trial.must_be_at_rest()?;
    }
    Ok(())
}
