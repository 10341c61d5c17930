//! Futures of the lifecycle that are dropped half-way, and recorders that panic.

use super::{
    diary::{Diary, Trouble},
    *,
};
use crate::{CommandReport, CommandSpec, State, TaskContext, TaskError, TaskOptions};

/// An attempt whose body runs, with its setup done.
fn running(stage: &Stage) -> Attempt {
    let attempt = stage.take();
    assert!(matches!(block_on(attempt.prepare()), Prepared::Ready));
    assert!(attempt.begin(&stage::worker()));
    attempt
}

/// Review 7.
#[test]
fn a_teardown_that_is_dropped_half_way_leaves_the_result() {
    for (result, state) in
        [(Ok(reply()), State::Succeeded), (Err(TaskError::failed("no")), State::Failed)]
    {
        let diary = Diary::trouble_at("teardown", Trouble::Hang);
        let stage = Stage::with(diary.both());
        let mut handle = stage.submit(TaskOptions::new());
        let mut settling = Box::pin(running(&stage).finish(result));
        assert!(poll(settling.as_mut()).is_pending());
        drop(settling);
        assert_eq!(end(&mut handle).state(), state);
        stage.must_be_at_rest();
    }
}

/// The result was lost when the end was dropped before it was polled at all.
#[test]
fn an_end_that_is_never_polled_leaves_the_result() {
    let stage = Stage::with(Diary::new().both());
    let mut handle = stage.submit(TaskOptions::new());
    drop(running(&stage).finish(Ok(reply())));
    assert_eq!(end(&mut handle).state(), State::Succeeded);
    let mut handle = stage.submit(TaskOptions::new());
    let attempt = running(&stage);
    stage.play().drive = Drive::Never;
    attempt.finish_elsewhere(Ok(reply()));
    assert_eq!(end(&mut handle).state(), State::Succeeded);
    stage.must_be_at_rest();
}

/// Review 7.
#[test]
fn a_run_that_is_dropped_anywhere_resolves_the_handle() {
    for (word, state) in [
        ("started", State::Lost),
        ("setup", State::Lost),
        ("teardown", State::Succeeded),
        ("finished", State::Succeeded),
    ] {
        let diary = Diary::trouble_at(word, Trouble::Hang);
        let stage = Stage::with(diary.both());
        stage.play().drive = Drive::Later;
        let mut handle = block_on(stage.engine.submit(Stage::task(TaskOptions::new()))).unwrap();
        let (attempt, worker) = (stage.take(), stage::worker());
        let mut run = Box::pin(attempt.run(&worker, &NoCommands));
        assert!(poll(run.as_mut()).is_pending(), "it hangs at {word}");
        drop(run);
        diary.go_on();
        stage.drive();
        assert_eq!(end(&mut handle).state(), state, "dropped at {word}");
        stage.must_be_at_rest();
        let hooks = |word: &str| diary.lines().iter().filter(|line| line.starts_with(word)).count();
        assert!(hooks("teardown") <= 1);
        assert!(hooks("setup") <= 1);
    }
}

/// Review 7.
#[test]
fn a_panicking_recorder_or_hook_harms_nothing() {
    for (word, state) in [
        ("started", State::Failed),
        ("setup", State::Failed),
        ("teardown", State::Succeeded),
        ("finished", State::Succeeded),
    ] {
        for trouble in [Trouble::Panic, Trouble::Fail] {
            let diary = Diary::trouble_at(word, trouble);
            let stage = Stage::with(diary.both());
            let mut handle = stage.submit(TaskOptions::new());
            block_on(stage.take().run(&stage::worker(), &NoCommands));
            let outcome = end(&mut handle);
            assert_eq!(outcome.state(), state, "{trouble:?} at {word}");
            let noted = !outcome.notes().is_empty();
            assert_eq!(noted, state == State::Succeeded, "{:?}", outcome.notes());
            stage.must_be_at_rest();
        }
    }
}

#[test]
fn a_submission_that_panics_in_the_recorder_is_refused() {
    let diary = Diary::trouble_at("submitted", Trouble::Panic);
    let stage = Stage::with(diary.recorder());
    assert!(block_on(stage.engine.submit(Stage::task(TaskOptions::new()))).is_err());
    stage.must_be_at_rest();
}

struct NoCommands;

impl CommandRunner for NoCommands {
    fn run(
        &self,
        _spec: CommandSpec,
        _ctx: TaskContext,
    ) -> BoxFuture<'static, Result<CommandReport, TaskError>> {
        unreachable!("no task of the stage is a command")
    }
}
