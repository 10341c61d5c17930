//! Detached jobs: submitted by one process, asked for by another.

use outwork_amqp::AmqpExecutor;
use outwork_core::{Cancel, Executor, JobHandle, State, TaskId, TaskOptions, blocking::block_on};

use crate::support::{ECHO, FAIL, PATIENCE, Place, SLEEP, until};

fn asker(place: &Place) -> AmqpExecutor {
    block_on(AmqpExecutor::builder(place.options()).without_queue().connect()).unwrap()
}

#[test]
fn a_result_is_found_by_another_process_after_the_submitter_is_gone() {
    let place = Place::new();
    let worker = place.worker(1);
    let job = {
        let submitter = place.client();
        block_on(submitter.submit_detached(ECHO.task(&"kept".to_owned()).unwrap())).unwrap()
    };
    let text = serde_json::to_string(&job).unwrap();
    let job: JobHandle = serde_json::from_str(&text).unwrap();
    let asker = asker(&place);
    let found = block_on(asker.wait_job(job.id(), PATIENCE)).unwrap().unwrap();
    assert_eq!(found.state, State::Succeeded);
    assert_eq!(found.worker.as_deref(), Some(worker.name()));
    let result = found.outcome.unwrap().decode::<String>().into_result().unwrap();
    assert_eq!(result, "kept");
    // And by its handle, as often as one likes.
    for _ in 0..2 {
        let mut handle = block_on(asker.attach(&job)).unwrap().decoded::<String>();
        assert_eq!(handle.wait_timeout(PATIENCE).unwrap().into_result().unwrap(), "kept");
    }
    assert!(block_on(asker.job(TaskId::new())).unwrap().is_none());
}

#[test]
fn a_job_is_seen_to_wait_to_run_and_to_end() {
    let place = Place::new();
    let worker = place.worker(1);
    block_on(worker.drain(PATIENCE));
    drop(worker);
    let client = place.client();
    let job = block_on(client.submit_detached(SLEEP.task(&1500).unwrap())).unwrap();
    let state = || block_on(client.job(job.id())).unwrap().unwrap().state;
    assert_eq!(state(), State::Pending);
    let _worker = place.worker(1);
    until("it is seen to run", || state() == State::Running);
    until("it is seen to have ended", || state() == State::Succeeded);
}

#[test]
fn a_failed_job_keeps_its_error() {
    let place = Place::new();
    let _worker = place.worker(1);
    let client = place.client();
    let job = block_on(client.submit_detached(FAIL.task(&"no way".to_owned()).unwrap())).unwrap();
    let found = block_on(client.wait_job(job.id(), PATIENCE)).unwrap().unwrap();
    assert_eq!(found.state, State::Failed);
    assert_eq!(found.outcome.unwrap().error().unwrap().message(), "no way");
}

#[test]
fn a_third_process_cancels_a_queued_a_delayed_and_a_running_job() {
    let place = Place::new();
    let worker = place.worker(1);
    let client = place.client();
    let submit = |task| block_on(client.submit_detached(task)).unwrap().id();
    let running = submit(SLEEP.task(&60_000).unwrap());
    until("it runs", || worker.status().running == 1);
    let queued = submit(ECHO.task(&"queued".to_owned()).unwrap());
    let options = TaskOptions::new().delay(PATIENCE * 10);
    let delayed = submit(ECHO.task(&"delayed".to_owned()).unwrap().with_options(options));
    let third = asker(&place);
    for id in [queued, delayed, running] {
        let answer = block_on(third.cancel_job(id)).unwrap();
        assert!(matches!(answer, Cancel::Confirmed | Cancel::Requested), "{answer:?}");
        let found = block_on(third.wait_job(id, PATIENCE)).unwrap().unwrap();
        assert_eq!(found.state, State::Cancelled);
    }
    assert_eq!(block_on(third.cancel_job(running)).unwrap(), Cancel::NotFound);
}

#[test]
fn a_third_process_learns_how_it_is_with_a_task_that_somebody_waits_for() {
    let place = Place::new();
    let worker = place.worker(1);
    let client = place.client();
    let submit = |task| block_on(client.submit(task)).unwrap();
    let running = submit(SLEEP.task(&60_000).unwrap());
    until("it runs", || worker.status().running == 1);
    let queued = submit(ECHO.task(&"queued".to_owned()).unwrap());
    let third = asker(&place);
    let status = |id| block_on(third.status_of(id)).unwrap();
    let seen = status(running.task_id()).unwrap();
    assert_eq!((seen.state, seen.attempt), (State::Running, 1));
    assert_eq!(seen.worker.as_deref(), Some(worker.name()));
    assert_eq!((seen.name.as_str(), seen.queue.as_str()), ("test.sleep", "jobs"));
    let seen = status(queued.task_id()).unwrap();
    assert_eq!((seen.state, seen.attempt), (State::Pending, 0));
    assert!(seen.at >= seen.submitted_at && seen.submitted_at.elapsed().unwrap() < 2 * PATIENCE);
    running.cancel();
    let mut queued = queued;
    assert!(queued.wait_timeout(PATIENCE).unwrap().is_success());
    assert_eq!(status(queued.task_id()).unwrap().state, State::Succeeded);
    assert_eq!(status(running.task_id()).unwrap().state, State::Cancelled);
    assert!(status(TaskId::new()).is_none());
    // When the one who has submitted it is gone, the worker knows.
    let orphan = submit(SLEEP.task(&5_000).unwrap()).task_id();
    until("it runs", || worker.status().running == 1);
    drop(client);
    assert_eq!(status(orphan).unwrap().state, State::Running);
}

#[test]
fn what_another_process_cancels_resolves_at_once_for_who_waits_for_it() {
    let place = Place::new();
    let worker = place.worker(1);
    let client = place.client();
    let submit = |task| block_on(client.submit(task)).unwrap();
    let running = submit(SLEEP.task(&60_000).unwrap());
    until("it runs", || worker.status().running == 1);
    let queued = submit(ECHO.task(&"queued".to_owned()).unwrap());
    let options = TaskOptions::new().delay(PATIENCE * 10);
    let delayed = submit(ECHO.task(&"delayed".to_owned()).unwrap().with_options(options));
    let third = AmqpExecutor::builder(place.options()).queue(place.queue.clone()).without_queue();
    let third = block_on(third.connect()).unwrap();
    for mut handle in [queued, delayed] {
        block_on(third.cancel_job(handle.task_id())).unwrap();
        let outcome = handle.wait_timeout(PATIENCE).expect("it resolves while its turn is far");
        assert_eq!((outcome.state(), outcome.attempts()), (State::Cancelled, 0));
    }
    until("the other one is known to run", || running.state() == State::Running);
    block_on(third.cancel_job(running.task_id())).unwrap();
    assert_eq!({ running }.wait_timeout(PATIENCE).unwrap().state(), State::Cancelled);
    // Neither of the others is started when its turn has come; the one that waits on the
    // ladder is dealt with later.
    until("the queued one is dealt with", || worker.status().done == 2);
    let mut next = submit(ECHO.task(&"next".to_owned()).unwrap());
    assert!(next.wait_timeout(PATIENCE).unwrap().is_success());
    until("nothing else was run", || worker.status().done == 3);
}
