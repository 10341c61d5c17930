//! What bodies do.

use std::{
    future::Future,
    rc::Rc,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use outwork_core::{BoxError, RegisterError, Registry, TaskContext, WaitError, blocking::block_on};

use super::{
    held::Product,
    plan::{Act, Body},
    stage::{ASYNC, SYNC, Stage},
    submit::{drop_bomb, submit},
};
use crate::{panics::panic_on_purpose, watch::waiting};

/// How often a body looks whether it is to stop.
const LOOK: Duration = Duration::from_micros(100);

/// The tasks of a round.
pub(super) fn registry(stage: &Arc<Stage>) -> Result<Registry, RegisterError> {
    let mut registry = Registry::new();
    let here = Arc::clone(stage);
    registry.register(SYNC, move |ctx, index| run(&here, index, Some(ctx)))?;
    let here = Arc::clone(stage);
    registry.register_async(ASYNC, move |ctx, index| {
        let stage = Arc::clone(&here);
        async move { run_async(&stage, index, Some(&ctx)).await }
    })?;
    Ok(registry)
}

/// A closure for a thread.
pub(super) fn closure(
    stage: &Arc<Stage>,
    index: usize,
) -> impl FnOnce() -> Product + Send + 'static {
    let (stage, product) = (Arc::clone(stage), Product::new(index, stage.job(index).bomb));
    move || {
        succeeds(run(&stage, index, None));
        product
    }
}

/// A future for a loop.
///
/// The bomb is made inside, so that a future that was never polled can be dropped by anybody.
pub(super) async fn future(stage: Arc<Stage>, index: usize) -> Product {
    let product = Product::new(index, stage.job(index).bomb);
    succeeds(match stage.job(index).body {
        // It holds its loop up, as no future should.
        Body::Sync => run(&stage, index, None),
        Body::Async => run_async(&stage, index, None).await,
    });
    product
}

/// A future that may not leave its loop.
pub(super) fn local_future(
    stage: Arc<Stage>,
    index: usize,
) -> impl Future<Output = Product> + 'static {
    let stays = Rc::new(());
    async move {
        let product = future(stage, index).await;
        drop(stays);
        product
    }
}

/// A closure has no errors: it panics.
fn succeeds(result: Result<usize, BoxError>) {
    if result.is_err() {
        panic_on_purpose();
    }
}

fn run(stage: &Arc<Stage>, index: usize, ctx: Option<&TaskContext>) -> Result<usize, BoxError> {
    let job = stage.job(index);
    stage.records[index].has_run();
    match job.act {
        Act::Nothing => {}
        Act::Sleep(time) => thread::sleep(time),
        Act::Spin(time) => spin(time),
        Act::Listen(time) => listen(time, ctx),
        Act::Nest(child) => nest(stage, index, child),
        act => block_on(interfere(stage, act)),
    }
    verdict(stage, index, ctx)
}

async fn run_async(
    stage: &Arc<Stage>,
    index: usize,
    ctx: Option<&TaskContext>,
) -> Result<usize, BoxError> {
    let job = stage.job(index);
    stage.records[index].has_run();
    match job.act {
        Act::Nothing => tokio::task::yield_now().await,
        Act::Sleep(time) => tokio::time::sleep(time).await,
        Act::Spin(time) => spin(time),
        Act::Listen(time) => match ctx {
            // Either will do.
            Some(ctx) => drop(tokio::time::timeout(time, ctx.cancelled()).await),
            None => tokio::time::sleep(time).await,
        },
        Act::Nest(child) => nest_async(stage, child).await,
        act => interfere(stage, act).await,
    }
    verdict(stage, index, ctx)
}

/// Acts on the executor from inside.
async fn interfere(stage: &Stage, act: Act) {
    // Whoever holds it last drops it, and be it this body.
    let Some(subject) = stage.subject() else { return };
    match act {
        Act::Stop(stop) => {
            stage.is_about_to_stop();
            subject.executor().shutdown(stop.0).await;
        }
        Act::Resize(workers) => stage.resize(&subject, workers),
        Act::Cancel(other) => stage.cancel_by_id(&subject, other),
        Act::Nothing | Act::Sleep(_) | Act::Spin(_) | Act::Listen(_) | Act::Nest(_) => {}
    }
}

fn verdict(stage: &Stage, index: usize, ctx: Option<&TaskContext>) -> Result<usize, BoxError> {
    let job = stage.job(index);
    if ctx.map_or(1, TaskContext::attempt) > job.failures {
        Ok(index)
    } else if job.panics {
        panic_on_purpose()
    } else {
        Err("it was to fail".into())
    }
}

fn spin(time: Duration) {
    let began = Instant::now();
    while began.elapsed() < time {
        std::hint::spin_loop();
    }
}

fn listen(time: Duration, ctx: Option<&TaskContext>) {
    let began = Instant::now();
    while began.elapsed() < time && !ctx.is_some_and(TaskContext::cancel_requested) {
        thread::sleep(LOOK);
    }
}

fn nest(stage: &Arc<Stage>, index: usize, child: usize) {
    let Some(subject) = stage.subject() else { return };
    let _waiting = waiting(format!("job {index} for the nested job {child}"));
    let Some(mut held) = block_on(submit(stage, &subject, child)) else { return };
    // What is waited for needs the executor, and not its owner.
    drop(subject);
    match held.wait(None) {
        Ok(ending) => stage.settle(child, &mut held, ending),
        // A loop, which is not to block on its own pool.
        Err(WaitError::WouldDeadlock(_)) => drop_bomb(held),
        Err(error) => stage.fault(format!("job {index} waited for job {child}: {error}")),
    }
}

/// What is called by `run_async` calls it again, and so is boxed.
fn nest_async<'a>(
    stage: &'a Arc<Stage>,
    child: usize,
) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
    Box::pin(async move {
        let Some(subject) = stage.subject() else { return };
        let Some(mut held) = submit(stage, &subject, child).await else { return };
        drop(subject);
        let ending = held.end().await;
        stage.settle(child, &mut held, ending);
    })
}
