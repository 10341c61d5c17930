//! What tasks write.

use super::{
    Fixture, Spec,
    script::Script,
    support::{Folder, Held, Trial, attempts, checks, must, must_be},
};
use crate::{DispatchInfo, Metadata, Outcome, State, StreamTarget, TaskErrorKind, TaskOptions};

checks! { "capture":
    both_streams_are_in_the_outcome:
        "What a body writes to its context is in the outcome, each stream by itself.",
    output_is_there_when_nothing_was_written:
        "The output of a body that wrote nothing is there, and empty.",
    output_is_kept_whatever_happens:
        "What a body wrote is kept when it fails, panics or is cancelled.",
    the_output_of_two_tasks_is_never_mixed:
        "The output of tasks that run beside each other is never mixed.",
    each_attempt_has_its_own_output:
        "Each attempt starts with empty streams, and the output of all attempts is kept.",
    an_attempt_that_writes_nothing_has_no_output:
        "What the last attempt wrote is what it wrote itself, and not what one before it did.",
    only_the_last_output_is_kept_where_that_was_asked_for:
        "A task can be told to keep the output of its last attempt alone.",
    any_bytes_are_kept_as_they_are:
        "Output need not be text, and is kept byte for byte, however much it is.",
    a_file_is_appended_to:
        "Output that goes to a file is added at its end, and the folders on the way are made.",
    a_relative_file_lies_with_its_dispatch:
        "A relative file lies in the results folder under the dispatch, and cannot leave it.",
    a_file_that_cannot_be_written_fails_the_task:
        "A task whose output has nowhere to go fails for reasons of the infrastructure, \
         and its body does not run.",
    discarded_output_is_gone:
        "Output that is to be discarded is not kept.",
    too_much_output_is_an_error_with_its_head_kept:
        "A body that writes more than its target allows ends as OutputTooLarge, \
         with the beginning kept.",
    printed_lines_are_captured:
        "Where descriptors are captured, what a body prints is in its outcome.",
}

fn texts(outcome: &Outcome) -> Held<(String, String)> {
    Ok((outcome.stdout().text()?, outcome.stderr().text()?))
}

fn pair(stdout: &str, stderr: &str) -> (String, String) {
    (stdout.to_owned(), stderr.to_owned())
}

fn both_streams_are_in_the_outcome(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let script = Script::new().stdout("one ").stderr("an ").stdout("two").stderr("error");
        let outcome = trial.run(body.task(script))?;
        must_be("the streams", texts(&outcome)?, pair("one two", "an error"))?;
    }
    trial.finish()
}

fn output_is_there_when_nothing_was_written(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let outcome = trial.run(body.task(Script::new()))?;
        must_be("the streams", texts(&outcome)?, pair("", ""))?;
    }
    trial.finish()
}

fn output_is_kept_whatever_happens(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let wrote = || Script::new().stdout("out").stderr("err");
        for script in [wrote().fail("an error"), wrote().panic("a panic")] {
            let outcome = trial.run(body.task(script))?;
            must_be("the state", outcome.state(), State::Failed)?;
            must_be("the streams", texts(&outcome)?, pair("out", "err"))?;
        }
        let log = trial.log(&format!("{body:?}"));
        let script = wrote().note(&log, "wrote").await_stop().fail("stopped");
        let begun = trial.begin(body.task(script))?;
        trial.until_lines(&log, 1)?;
        trial.cancel_live(begun.id)?;
        let outcome = trial.outcome_of(begun)?;
        must_be("the state", outcome.state(), State::Cancelled)?;
        must_be("the streams", texts(&outcome)?, pair("out", "err"))?;
    }
    trial.finish()
}

fn the_output_of_two_tasks_is_never_mixed(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs_concurrency()?;
    for body in trial.bodies() {
        let gate = trial.gate(&format!("gate-{body:?}"));
        let log = trial.log(&format!("log-{body:?}"));
        let script = |letter: &'static str| {
            let start = Script::new().stdout(letter).note(&log, letter).wait(&gate);
            (0..200).fold(start, |script, _| script.stdout(letter).stderr(letter))
        };
        let letters = ["a", "b"];
        let begun = letters.map(|letter| trial.begin(body.task(script(letter))));
        trial.until_lines(&log, 2)?;
        gate.open()?;
        for (begun, letter) in begun.into_iter().zip(letters) {
            let outcome = trial.outcome_of(begun?)?;
            let expected = pair(&letter.repeat(201), &letter.repeat(200));
            must_be("the streams", texts(&outcome)?, expected)?;
        }
    }
    trial.finish()
}

fn each_attempt_has_its_own_output(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let script = Script::new().stdout("begin ").fail_before(3, "not yet").stdout("end");
        let options = TaskOptions::new().retry(attempts(3));
        let outcome = trial.run(body.task(script).with_options(options))?;
        let all = outcome
            .outputs()
            .iter()
            .map(|output| Ok(output.stdout.text()?))
            .collect::<Held<Vec<_>>>()?;
        must_be("the output of each attempt", all, ["begin ", "begin ", "begin end"])?;
        must_be("the output of the task", outcome.stdout().text()?, "begin end")?;
    }
    trial.finish()
}

fn an_attempt_that_writes_nothing_has_no_output(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let script = Script::new().stdout_before(2, "first").fail_before(2, "not yet");
        let options = TaskOptions::new().retry(attempts(2));
        let outcome = trial.run(body.task(script).with_options(options))?;
        must("the second attempt succeeds", outcome.is_success())?;
        must_be("the attempts that have an output", outcome.outputs().len(), 2)?;
        must_be("the output of the first", outcome.outputs()[0].stdout.text()?, "first")?;
        must_be("the output of the task", texts(&outcome)?, pair("", ""))?;
    }
    trial.finish()
}

fn only_the_last_output_is_kept_where_that_was_asked_for(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let options = TaskOptions::new().retry(attempts(3)).last_output_only(true);
        let script = Script::new().stdout("begin ").fail_before(3, "not yet").stdout("end");
        let outcome = trial.run(body.task(script).with_options(options))?;
        must_be("the attempts", outcome.attempts(), 3)?;
        must_be("the outputs that are kept", outcome.outputs().len(), 1)?;
        must_be("the output of the task", outcome.stdout().text()?, "begin end")?;
    }
    trial.finish()
}

fn any_bytes_are_kept_as_they_are(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let bytes: Vec<u8> = (0..=255).cycle().take(50_000).collect();
        let script = (0..20).fold(Script::new(), |script, _| script.stdout(bytes.clone()));
        let outcome = trial.run(body.task(script))?;
        must_be("the length", outcome.stdout().len(), 1_000_000)?;
        must("every byte is kept", outcome.stdout().bytes()? == bytes.repeat(20))?;
        must("it can be looked at as text", outcome.stdout().text()?.starts_with('\0'))?;
    }
    trial.finish()
}

fn a_file_is_appended_to(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let path = trial.file(&format!("made/on/the/way/{body:?}"));
        let options = TaskOptions::new().stdout(StreamTarget::file(&path));
        for _ in 0..2 {
            let script = Script::new().stdout("to the file.").stderr("not there");
            let outcome = trial.run(body.task(script).with_options(options.clone()))?;
            must_be("what was written", outcome.stdout().len(), 12)?;
            must_be("the other stream", outcome.stderr().text()?, "not there")?;
        }
        let text = std::fs::read_to_string(&path)?;
        must_be("the file", text, "to the file.to the file.")?;
    }
    trial.finish()
}

fn a_relative_file_lies_with_its_dispatch(fixture: &dyn Fixture) -> Held {
    let results = Folder::new()?;
    let trial = Trial::new(fixture, Spec::default().results_dir(results.path().to_owned()))?;
    let info = DispatchInfo { dispatch_id: "run-7".to_owned(), node_id: None };
    let task = |path: &str| {
        let options = TaskOptions::new().stdout(StreamTarget::file(path));
        let metadata = Metadata::new().with_dispatch(&info);
        trial.task(Script::new().stdout("here")).with_options(options).with_metadata(metadata)
    };
    must("the task succeeds", trial.run(task("some/out.txt"))?.is_success())?;
    let text = std::fs::read_to_string(results.join("run-7/some/out.txt"))?;
    must_be("the file", text, "here")?;
    let outcome = trial.run(task("../../outwork-escaped.txt"))?;
    must_be("a path that leads out", outcome.state(), State::Failed)?;
    must("nothing is written outside", !results.join("../outwork-escaped.txt").exists())?;
    trial.finish()
}

fn a_file_that_cannot_be_written_fails_the_task(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let log = trial.log(&format!("{body:?}"));
        // A folder is no file.
        let options = TaskOptions::new().stderr(StreamTarget::file(trial.file("")));
        let task = body.task(Script::new().note(&log, "run")).with_options(options);
        let outcome = trial.run(task)?;
        let kind = outcome.error().map(|error| error.kind().clone());
        must_be("the error", kind, Some(TaskErrorKind::Infrastructure))?;
        must_be("the runs", log.count(), 0)?;
    }
    trial.finish()
}

fn discarded_output_is_gone(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let options = TaskOptions::new().stdout(StreamTarget::Discard);
        let script = Script::new().stdout("gone").stderr("kept");
        let outcome = trial.run(body.task(script).with_options(options))?;
        must_be("the streams", texts(&outcome)?, pair("", "kept"))?;
    }
    trial.finish()
}

fn too_much_output_is_an_error_with_its_head_kept(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    for body in trial.bodies() {
        let options = TaskOptions::new().stdout(StreamTarget::limited(5));
        let script = Script::new().stdout("0123").stdout("4567");
        let outcome = trial.run(body.task(script).with_options(options))?;
        let kind = outcome.error().map(|error| error.kind().clone());
        must_be("the error", kind, Some(TaskErrorKind::OutputTooLarge { limit: 5 }))?;
        must_be("what is kept", outcome.stdout().text()?, "01234")?;
    }
    trial.finish()
}

fn printed_lines_are_captured(fixture: &dyn Fixture) -> Held {
    let trial = Trial::usual(fixture)?;
    trial.needs(trial.can().captures_descriptors, "captures_descriptors is false")?;
    for body in trial.bodies() {
        let options = TaskOptions::new().stdout(StreamTarget::memory());
        let outcome = trial.run(body.task(Script::new().print("hello")).with_options(options))?;
        must_be("the standard output", outcome.stdout().text()?, "hello\n")?;
    }
    trial.finish()
}
