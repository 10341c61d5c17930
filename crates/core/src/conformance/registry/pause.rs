//! The steps of a script that take time.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    BoxError, TaskContext, Timer,
    conformance::{script::Wait, support::Gate},
};

/// How often a gate is looked at. It may be another process that opens it.
const TICK: Duration = Duration::from_millis(1);

/// A body whose check has died ends by itself.
const LONGEST: Duration = Duration::from_secs(60);

/// Waits on a thread that may block.
pub(super) fn block(wait: &Wait, ctx: &TaskContext) -> Result<(), BoxError> {
    let start = Instant::now();
    while let Some(pause) = left(wait, ctx, start)? {
        thread::sleep(pause);
    }
    Ok(())
}

/// Waits without blocking.
pub(super) async fn wait(wait: &Wait, ctx: &TaskContext) -> Result<(), BoxError> {
    if wait == &Wait::Stop {
        ctx.cancelled().await;
        return Ok(());
    }
    let start = Instant::now();
    while let Some(pause) = left(wait, ctx, start)? {
        sleep(pause).await;
    }
    Ok(())
}

/// How long to pause before the next look; `None` when the wait is over.
fn left(wait: &Wait, ctx: &TaskContext, start: Instant) -> Result<Option<Duration>, BoxError> {
    if start.elapsed() > LONGEST {
        return Err(format!("waited {LONGEST:?} in vain: {wait:?}").into());
    }
    let over = match wait {
        Wait::Gate(gate) => Gate::is_open(gate),
        Wait::GateOrStop(_) if ctx.cancel_requested() => return Err("asked to stop".into()),
        Wait::GateOrStop(gate) => Gate::is_open(gate),
        Wait::Stop => ctx.cancel_requested(),
        Wait::Time(time) => {
            let left = time.saturating_sub(start.elapsed());
            return Ok((!left.is_zero()).then_some(left));
        }
    };
    Ok((!over).then_some(TICK))
}

/// Sleeps by the timer that every process has, as the suite knows of no runtime.
async fn sleep(time: Duration) {
    let (send, receive) = async_channel::bounded::<()>(1);
    Timer::shared().after(time, move || drop(send));
    // Ends when the timer drops the other side.
    let _ = receive.recv().await;
}
