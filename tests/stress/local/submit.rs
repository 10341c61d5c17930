//! How jobs get to the executor.

use std::{
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use futures_util::FutureExt;
use outwork_core::{Batch, Executor, NoRoom, SubmitError, SubmitErrorKind, TaskHandle, TaskId};
use outwork_local::{EventLoopPool, ThreadPool, TrySpawnError};

use super::{
    body,
    held::{Held, Product},
    ledger::Fate,
    plan::Via,
    stage::Stage,
    subject::Subject,
};

/// Submits a job the way that it wants, once. Nothing comes back when it was refused, or when
/// it was submitted before.
pub(super) async fn submit(stage: &Arc<Stage>, subject: &Subject, index: usize) -> Option<Held> {
    if !stage.records[index].take() {
        return None;
    }
    let held = match subject {
        _ if stage.job(index).via.is_task() => submit_task(stage, subject.executor(), index).await,
        Subject::Threads(pool) => spawn_on_threads(stage, pool, index).await,
        Subject::Loops(pool) => spawn_on_loops(stage, pool, index).await,
        Subject::Background(pool) => spawn_on_loops(stage, pool, index).await,
        Subject::Inline(_) => unreachable!("it is offered tasks only"),
    };
    if let Some(held) = &held {
        note_accepted(stage, index, held);
    }
    held
}

/// Submits a batch of tasks, and returns those that were accepted.
pub(super) async fn submit_many(
    stage: &Arc<Stage>,
    subject: &Subject,
    jobs: Range<usize>,
    batch: Batch,
) -> Vec<(usize, Held)> {
    let first = jobs.start;
    let tasks = jobs.map(|job| {
        stage.records[job].take();
        stage.task(job)
    });
    let tasks = tasks.collect();
    let accepted: Vec<_> = match subject.executor().submit_many(tasks, batch).await {
        Ok(handles) => handles.into_iter().enumerate().collect(),
        Err(error) => {
            check_refusal(stage, error.kind(), batch == Batch::Fit);
            let (refused, accepted) = error.into_parts();
            for (place, task) in refused {
                note_refused(stage, first + place, Some(task.id()));
            }
            accepted
        }
    };
    let held = |(place, handle): (usize, TaskHandle)| (first + place, Held::Task(handle.decoded()));
    let accepted: Vec<_> = accepted.into_iter().map(held).collect();
    accepted.iter().for_each(|(index, held)| note_accepted(stage, *index, held));
    accepted
}

async fn submit_task(stage: &Stage, executor: &dyn Executor, index: usize) -> Option<Held> {
    let task = stage.task(index);
    let via = stage.job(index).via;
    let submitted = match via {
        Via::TrySubmit => executor.try_submit(task),
        // One that has to wait for room has not been submitted.
        Via::Glance => executor.submit(task).now_or_never()?,
        _ => executor.submit(task).await,
    };
    let refused = |error: SubmitError| {
        check_refusal(stage, error.kind(), via == Via::TrySubmit);
        note_refused(stage, index, Some(error.into_task().id()));
    };
    submitted.map_err(refused).ok().map(|handle| Held::Task(handle.decoded()))
}

async fn spawn_on_threads(stage: &Arc<Stage>, pool: &ThreadPool, index: usize) -> Option<Held> {
    let body = body::closure(stage, index);
    let handle = match stage.job(index).via {
        Via::TrySpawn => tried(stage, index, pool.try_spawn(body))?,
        Via::Reserve => match pool.reserve().await {
            Ok(permit) => permit.spawn(body),
            Err(reason) => {
                drop_bomb(body);
                return no_room(stage, index, reason);
            }
        },
        _ => pool.spawn(body),
    };
    Some(Held::Closure(handle))
}

async fn spawn_on_loops(stage: &Arc<Stage>, pool: &EventLoopPool, index: usize) -> Option<Held> {
    let future = body::future(Arc::clone(stage), index);
    let handle = match stage.job(index).via {
        Via::TrySpawn => tried(stage, index, pool.try_spawn(future))?,
        Via::Reserve => match pool.spawn_when_free(future).await {
            Ok(handle) => handle,
            Err(reason) => return no_room(stage, index, reason),
        },
        Via::SpawnLocal => {
            let stage = Arc::clone(stage);
            pool.spawn_local(move || body::local_future(stage, index))
        }
        Via::SubmitKeyed(key) => pool.submit_keyed(key, future),
        Via::SubmitTo(number) => {
            pool.submit_to(number % pool.loops(), future).expect("there is a loop of that number")
        }
        _ => pool.spawn(future),
    };
    Some(Held::Closure(handle))
}

fn tried<F>(
    stage: &Stage,
    index: usize,
    tried: Result<TaskHandle<Product>, TrySpawnError<F>>,
) -> Option<TaskHandle<Product>> {
    match tried {
        Ok(handle) => Some(handle),
        Err(error) => {
            let kind = match error.reason() {
                NoRoom::Full => SubmitErrorKind::Full,
                NoRoom::Closed => SubmitErrorKind::Closed,
            };
            check_refusal(stage, kind, true);
            note_refused(stage, index, None);
            drop_bomb(error.into_body());
            None
        }
    }
}

/// There was no room although it was waited for.
fn no_room(stage: &Stage, index: usize, reason: NoRoom) -> Option<Held> {
    if reason != NoRoom::Closed {
        stage.fault(format!("job {index} waited for room and was refused: {reason:?}"));
    }
    note_refused(stage, index, None);
    None
}

/// Drops what may panic when it is dropped.
pub(super) fn drop_bomb<T>(bomb: T) {
    // The panic is on purpose.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(bomb)));
}

fn check_refusal(stage: &Stage, kind: SubmitErrorKind, may_be_full: bool) {
    let right = match kind {
        SubmitErrorKind::Full => may_be_full,
        SubmitErrorKind::Closed => stage.is_stopping(),
        _ => false,
    };
    if !right {
        stage.fault(format!("a submission was refused as {kind:?}"));
    }
}

fn note_refused(stage: &Stage, index: usize, id: Option<TaskId>) {
    let record = &stage.records[index];
    if id != record.id() {
        stage.fault(format!("job {index} was refused, and another one given back"));
    }
    record.becomes(Fate::Refused);
}

fn note_accepted(stage: &Stage, index: usize, held: &Held) {
    let record = &stage.records[index];
    // The id of a closure is made when it is asked for.
    if stage.plan.listens || matches!(held, Held::Task(_)) {
        record.is_named(held.id());
        if record.id() != Some(held.id()) {
            stage.fault(format!("job {index} has the handle of another one"));
        }
    }
    record.becomes(Fate::Accepted);
}
