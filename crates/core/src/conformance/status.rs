//! What executors say of themselves.

use super::{
    Fixture,
    script::Script,
    support::{Held, Stop, Trial, attempts, checks, ms, must, must_be},
};
use crate::{ExecutorConfig, Phase, State, TaskOptions};

checks! { "status":
    the_counts_add_up:
        "Each task is counted once when it is accepted and once when it has ended, \
         by the way it ended.",
    what_is_in_flight_is_counted:
        "Tasks are in flight from acceptance to their end, and running while their bodies run.",
    the_phase_is_told:
        "An executor says whether it runs, drains or has stopped.",
    the_limit_is_told:
        "An executor says how many tasks it has room for, and that it has workers.",
    a_configuration_survives_serialisation:
        "The configuration is the same after a round trip through JSON, \
         and says nothing of the moment.",
    an_executor_can_be_rebuilt_from_its_configuration:
        "What is built from the configuration of an executor works, and has the same one.",
    capabilities_survive_serialisation:
        "The capabilities are data: the same each time, and after a round trip through JSON.",
}

fn the_counts_add_up(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let gate = trial.gate("never");
    let limit = TaskOptions::new().time_limit(ms(20))?;
    for body in trial.bodies() {
        let log = trial.log(&format!("{body:?}"));
        let ends = [
            (body.task(Script::new()), State::Succeeded),
            (body.task(Script::new().fail("an error")), State::Failed),
            (body.task(Script::new().panic("a panic")), State::Failed),
            (
                body.task(Script::new().wait_or_stop(&gate)).with_options(limit.clone()),
                State::TimedOut,
            ),
        ];
        for (task, state) in ends {
            must_be("the end", trial.run(task)?.state(), state)?;
        }
        let retried = TaskOptions::new().retry(attempts(3));
        trial.run(body.task(Script::new().fail_before(3, "not yet")).with_options(retried))?;
        let begun = trial.begin(body.task(Script::new().note(&log, "runs").wait_or_stop(&gate)))?;
        trial.until_lines(&log, 1)?;
        trial.cancel_live(begun.id)?;
        must_be("the end", trial.outcome_of(begun)?.state(), State::Cancelled)?;
    }
    let bodies = trial.bodies().len() as u64;
    let counts = trial.executor().status().counts;
    must_be("accepted", counts.submitted, 6 * bodies)?;
    must_be("succeeded", counts.succeeded, 2 * bodies)?;
    must_be("failed", counts.failed, 2 * bodies)?;
    must_be("timed out", counts.timed_out, bodies)?;
    must_be("cancelled", counts.cancelled, bodies)?;
    must_be("lost", counts.lost, 0)?;
    must_be("retried", counts.retried, 2 * bodies)?;
    trial.finish()
}

fn what_is_in_flight_is_counted(fixture: &dyn Fixture) -> Held {
    let trial = Trial::single(fixture)?;
    trial.needs_queue()?;
    let executor = trial.executor();
    must_be("in flight at first", executor.status().in_flight, 0)?;
    let busy = trial.occupy(1)?;
    let waiting = trial.begin(trial.task(Script::new()))?;
    must_be("in flight then", executor.status().in_flight, 2)?;
    trial.until("one is running", || executor.status().running == 1)?;
    must_be("waiting", executor.status().waiting(), 1)?;
    trial.release(busy)?;
    trial.outcome_of(waiting)?;
    must_be("in flight at last", executor.status().in_flight, 0)?;
    must_be("running at last", executor.status().running, 0)?;
    trial.finish()
}

fn the_phase_is_told(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let (gate, log) = (trial.gate("gate"), trial.log("log"));
    let phase = || trial.executor().status().phase;
    must_be("the phase at first", phase(), Phase::Running)?;
    let begun = trial.begin(trial.task(Script::new().note(&log, "runs").wait(&gate)))?;
    trial.until_lines(&log, 1)?;
    trial.stop(crate::Shutdown::drain(trial.long()).wait(false))?;
    must_be("the phase while it drains", phase(), Phase::Draining)?;
    gate.open()?;
    must("the task succeeds", trial.outcome_of(begun)?.is_success())?;
    trial.until("the executor has stopped", || phase() == Phase::Stopped)?;
    trial.finish()
}

fn the_limit_is_told(fixture: &dyn Fixture) -> Held {
    let trial = Trial::new(fixture, super::Spec::default().limit(17))?;
    let status = trial.executor().status();
    must_be("the limit", status.limit, 17)?;
    must("there are workers", status.workers >= 1)?;
    trial.finish()
}

fn a_configuration_survives_serialisation(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let config = trial.executor().config();
    let json = serde_json::to_string(&config)?;
    must_be("after JSON", &serde_json::from_str::<ExecutorConfig>(&json)?, &config)?;
    trial.run(trial.task(Script::new()))?;
    must_be("after a task", &trial.executor().config(), &config)?;
    trial.finish()
}

fn an_executor_can_be_rebuilt_from_its_configuration(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let json = serde_json::to_string(&trial.executor().config())?;
    let config: ExecutorConfig = serde_json::from_str(&json)?;
    let rebuilt = fixture
        .rebuild(&config)
        .ok_or_else(|| Stop::skipped("skipped because the fixture does not rebuild executors"))?;
    let second = Trial::over(rebuilt, fixture)?;
    must_be("its configuration", &second.executor().config(), &config)?;
    must_be("its capabilities", second.can(), trial.can())?;
    must_be("a result", second.reply(second.task(Script::new().reply("well")))?, "well")?;
    second.finish()?;
    trial.finish()
}

fn capabilities_survive_serialisation(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    let json = serde_json::to_string(trial.can())?;
    let back = serde_json::from_str::<crate::Capabilities>(&json)?;
    must_be("after JSON", &back, trial.can())?;
    must_be("asked again", trial.executor().capabilities(), back)?;
    trial.finish()
}
