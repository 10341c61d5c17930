//! [`Running`]: a program that runs, to its end.

use std::{
    future::Future,
    io,
    pin::Pin,
    process::ExitStatus,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use outwork_core::{CancelSource, StopLevel, TaskContext, WaitKey};
use rustix::process::Signal;
use tokio::time::{Sleep, sleep};

use super::{
    exit::{ExitWatch, Notice},
    group::Group,
    inlet::Inlet,
    launch::Launched,
    outlet::Outlet,
};

/// How long the pipes of a killed group may stay open: its processes need a moment to die,
/// and one that has left the group holds them for ever.
const DEATH_THROES: Duration = Duration::from_millis(100);

/// A program that runs: passes its streams on, heeds the wish that it stops, waits for its end.
///
/// Dropping it kills the group.
#[derive(Debug)]
pub(super) struct Running {
    group: Group,
    exit: ExitWatch,
    stdin: Inlet,
    stdout: Outlet,
    stderr: Outlet,
    cancel: Arc<CancelSource>,
    key: WaitKey,
    /// What was done to make the program stop.
    asked: StopLevel,
    /// The program has ended and is a zombie.
    ended: bool,
    throes: Option<Pin<Box<Sleep>>>,
}

/// How a program ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    /// It was asked to stop before it ended.
    pub(super) stopped: bool,
    /// The end of its standard error.
    pub(super) stderr_tail: String,
    /// Why some of its output was not kept.
    pub(super) refused: Option<io::Error>,
}

impl Running {
    /// # Errors
    ///
    /// When the runtime cannot watch a descriptor; the group is killed.
    pub(super) fn new(
        launched: Launched,
        input: Bytes,
        ctx: &TaskContext,
        notice: Notice,
    ) -> io::Result<Self> {
        let Launched { group, stdin, stdout, stderr } = launched;
        let pid = group.pid().expect("it was not reaped yet");
        Ok(Self {
            exit: ExitWatch::new(pid, notice)?,
            stdin: Inlet::new(stdin, input)?,
            stdout: Outlet::new(stdout, ctx.stdout())?,
            stderr: Outlet::new(stderr, ctx.stderr())?.with_tail(),
            cancel: Arc::clone(ctx.cancel_source()),
            key: WaitKey::default(),
            asked: StopLevel::None,
            ended: false,
            throes: None,
            group,
        })
    }

    /// Passes the streams on. Resolves when nobody can write any more, once it was asked to stop.
    fn poll_streams(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A program need not take its input before it ends.
        let _ = self.stdin.poll(cx)?;
        let stdout = self.stdout.poll(cx)?;
        let stderr = self.stderr.poll(cx)?;
        if stdout.is_ready() && stderr.is_ready() { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    /// Does what the wish to stop demands, once for each level.
    fn heed(&mut self, cx: &Context<'_>) {
        loop {
            let next = match self.asked {
                StopLevel::None => StopLevel::Requested,
                StopLevel::Requested => StopLevel::Forced,
                StopLevel::Forced => return,
            };
            if self.cancel.poll_level(next, cx, &mut self.key).is_pending() {
                return;
            }
            // It may have ended a moment ago, by itself.
            if self.asked == StopLevel::None && self.group.has_ended() {
                self.ended = true;
                return;
            }
            self.ask(self.cancel.level());
        }
    }

    fn ask(&mut self, level: StopLevel) {
        self.asked = level;
        self.stdout.watch_end();
        self.stderr.watch_end();
        match level {
            StopLevel::None => {}
            StopLevel::Requested => {
                self.group.signal(Signal::TERM);
                // What is stopped by job control has to go on to see it.
                self.group.signal(Signal::CONT);
            }
            StopLevel::Forced => self.group.signal(Signal::KILL),
        }
    }

    /// After the end of a program that was asked to stop: resolves when its group is gone.
    fn poll_group(&mut self, silent: bool, cx: &mut Context<'_>) -> Poll<()> {
        if self.asked < StopLevel::Forced {
            if !silent {
                // Somebody holds the pipes, and has the rest of the grace.
                ready!(self.cancel.poll_level(StopLevel::Forced, cx, &mut self.key));
            }
            self.ask(StopLevel::Forced);
        }
        if silent {
            return Poll::Ready(());
        }
        let throes = self.throes.get_or_insert_with(|| Box::pin(sleep(DEATH_THROES)));
        throes.as_mut().poll(cx)
    }
}

impl Future for Running {
    type Output = io::Result<Ended>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let silent = this.poll_streams(cx)?.is_ready();
        if !this.ended {
            this.ended = this.exit.poll(cx)?.is_ready();
        }
        if !this.ended {
            this.heed(cx);
        }
        if !this.ended {
            return Poll::Pending;
        }
        if this.asked > StopLevel::None {
            ready!(this.poll_group(silent, cx));
        }
        this.stdout.finish()?;
        this.stderr.finish()?;
        let Some(status) = this.group.reap()? else {
            this.ended = false;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        };
        Poll::Ready(Ok(Ended {
            status,
            stopped: this.asked > StopLevel::None,
            stderr_tail: this.stderr.tail(),
            refused: this.stdout.refused().or_else(|| this.stderr.refused()),
        }))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.cancel.forget(&mut self.key);
    }
}
