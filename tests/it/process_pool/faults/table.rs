//! The table: how a worker ends, when it does, what it had been sent, and what is to come of it.

use std::{fmt, time::Duration};

use outwork_core::LossReason;

use crate::support::{ms, tasks::Death};

/// How a worker ends, and what a task is told that was lost with it.
const FAULTS: [(&str, Death, End); 8] = [
    ("exit 0", Death::Exit(0), End::Lost(LossReason::Died, Some(0), None)),
    ("exit 3", Death::Exit(3), End::Lost(LossReason::Died, Some(3), None)),
    ("abort", Death::Abort, End::Lost(LossReason::Died, None, Some(6))),
    ("segv", Death::Segv, End::Lost(LossReason::Died, None, Some(11))),
    ("kill", Death::Kill, End::Lost(LossReason::Died, None, Some(9))),
    ("stop", Death::Stop, End::TimedOut),
    ("overflow", Death::Overflow, End::Lost(LossReason::Died, None, Some(6))),
    ("memory", Death::Grow(600), End::Lost(LossReason::MemoryLimit, None, Some(9))),
];

const WINDOWS: [u32; 2] = [1, 32];

const PAYLOADS: [usize; 3] = [64, 1 << 20, 64 << 20];

/// The memory limit of every pool, in MiB: more than the largest payload takes in all its
/// copies, and less than a worker that grows.
pub const MEMORY: u64 = 500;

/// What becomes of the task that a worker has when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It had not begun, and another worker runs it.
    Succeeds,
    /// With the exit code or the signal of the worker.
    Lost(LossReason, Option<i32>, Option<i32>),
    TimedOut,
}

/// When a worker ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Before it is ready.
    Greeting,
    /// When it was sent tasks and has begun none.
    Sent,
    InBody,
    /// In the middle of the frame of a result.
    Answering,
    /// When it has nothing to do.
    Idle,
    /// In a body, while the pool drains.
    Draining,
    /// When it has been told to leave.
    Leaving,
}

impl When {
    /// Whether it has a task then. Where it has none there are no payloads to be told apart.
    pub const fn has_task(self) -> bool {
        matches!(self, Self::Sent | Self::InBody | Self::Answering | Self::Draining)
    }

    /// Whether it has begun that. Only then is its memory looked at, so that nothing is killed
    /// for it at the other moments.
    pub const fn has_begun(self) -> bool {
        matches!(self, Self::InBody | Self::Answering | Self::Draining)
    }
}

/// One cell.
#[derive(Debug, Clone, Copy)]
pub struct Cell {
    name: &'static str,
    pub death: Death,
    lost: End,
    pub when: When,
    pub window: u32,
    pub payload: usize,
}

impl Cell {
    /// Those that there are of one moment.
    pub fn all(when: When) -> impl Iterator<Item = Self> {
        let payloads = if when.has_task() { &PAYLOADS[..] } else { &PAYLOADS[..1] };
        let cells = FAULTS.into_iter().flat_map(move |(name, death, lost)| {
            WINDOWS.into_iter().flat_map(move |window| {
                let cell = move |payload| Self { name, death, lost, when, window, payload };
                payloads.iter().copied().map(cell)
            })
        });
        cells.filter(Self::can_be)
    }

    fn can_be(&self) -> bool {
        self.when.has_begun() || !matches!(self.death, Death::Grow(_))
    }

    /// One that touches everything.
    pub fn warm_up() -> Self {
        Self::all(When::InBody).find(|cell| cell.death == Death::Stop).unwrap()
    }

    /// What becomes of the task that the worker has.
    pub fn end(&self) -> End {
        if self.when.has_begun() { self.lost } else { End::Succeeds }
    }

    /// The time limit of that task: what does not end needs one.
    pub fn time_limit(&self) -> Option<Duration> {
        (self.end() == End::TimedOut).then_some(ms(1000))
    }

    /// How long a worker may take to begin anything.
    pub fn start_timeout(&self) -> Duration {
        let nothing_else_ends_it = self.death == Death::Stop && !self.when.has_begun();
        if nothing_else_ends_it { ms(1500) } else { Duration::from_secs(20) }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, when, window, payload, .. } = self;
        write!(f, "{name} × {when:?} × window {window} × {payload} bytes")
    }
}
