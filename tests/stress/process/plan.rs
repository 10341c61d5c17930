//! [`Plan`]: everything that is random in a round apart from time, drawn before it begins.

use std::{fmt, num::NonZeroU64, sync::Arc, time::Duration};

use fastrand::Rng;

use super::body::Act;

/// A limit that a body keeps unless it does not end at all.
const LIMIT: Duration = Duration::from_millis(400);

/// Everything that is random in a round apart from time.
#[derive(Debug)]
pub(super) struct Plan {
    seed: u64,
    number: u64,
    pub(super) workers: usize,
    pub(super) window: u32,
    pub(super) max_tasks: Option<NonZeroU64>,
    pub(super) chaos: Chaos,
    /// How long a worker is left alone at most.
    pub(super) pace: Duration,
    pub(super) end: End,
    /// When the pool is stopped, if that is not after all tasks were submitted.
    pub(super) early: Option<Duration>,
    pub(super) clients: usize,
    pub(super) jobs: Vec<Job>,
}

/// What is done to the workers from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chaos {
    Nothing,
    /// They are killed, by signals that end a process.
    Kill,
    /// They are stopped for a moment.
    Freeze,
    /// They are stopped for good, which only limits end.
    Stop,
}

/// How the round ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Drain,
    CancelPending,
    /// With such a deadline.
    Abort(Duration),
    /// The pool is dropped.
    Drop,
}

/// One task.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) act: Act,
    pub(super) payload: usize,
    pub(super) idempotent: bool,
    pub(super) time_limit: Option<Duration>,
    /// Whether its submission waits for room.
    pub(super) waits: bool,
    /// After how long it is cancelled.
    pub(super) cancel: Option<Duration>,
    /// Its handle is dropped at once.
    pub(super) detached: bool,
}

impl Plan {
    /// The same seed and number give the same plan.
    pub(super) fn of(seed: u64, number: u64) -> Arc<Self> {
        let mut rng = Rng::with_seed(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let chaos = match rng.u32(0..20) {
            0..4 => Chaos::Nothing,
            4..14 => Chaos::Kill,
            14..19 => Chaos::Freeze,
            _ => Chaos::Stop,
        };
        let end = match rng.u32(0..8) {
            0..3 => End::Drain,
            3..5 => End::CancelPending,
            5..7 => End::Abort(Duration::from_millis(rng.u64(0..200))),
            _ => End::Drop,
        };
        let jobs = rng.usize(20..400);
        Arc::new(Self {
            seed,
            number,
            workers: rng.usize(1..=4),
            window: *rng.choice(&[1, 2, 32, 128]).unwrap_or(&1),
            max_tasks: rng.u32(0..4).eq(&0).then(|| NonZeroU64::MIN.saturating_add(rng.u64(0..40))),
            chaos,
            pace: Duration::from_millis(*rng.choice(&[3, 10, 40]).unwrap_or(&10)),
            end,
            early: (rng.u32(0..3) == 0).then(|| Duration::from_micros(rng.u64(0..30_000))),
            clients: rng.usize(1..=4),
            jobs: (0..jobs).map(|_| Job::random(&mut rng, chaos)).collect(),
        })
    }

    /// One that touches everything and disturbs nothing.
    pub(super) fn warm_up(seed: u64) -> Arc<Self> {
        let mut rng = Rng::with_seed(seed);
        let jobs = (0..50).map(|_| Job::random(&mut rng, Chaos::Stop)).collect();
        let (chaos, end) = (Chaos::Nothing, End::Drain);
        let (max_tasks, early, pace) = (None, None, Duration::ZERO);
        let (workers, window, clients) = (2, 32, 2);
        Arc::new(Self {
            seed,
            number: 0,
            workers,
            window,
            max_tasks,
            chaos,
            pace,
            end,
            early,
            clients,
            jobs,
        })
    }
}

impl Job {
    fn random(rng: &mut Rng, chaos: Chaos) -> Self {
        let act = match rng.u32(0..1000) {
            0..820 => Act::Return,
            820..900 => Act::Sleep(rng.u64(0..5)),
            900..930 => Act::Fail,
            930..950 => Act::Panic,
            950..970 => Act::Abort,
            970..985 => Act::Exit(rng.i32(0..4)),
            985..996 => Act::Kill,
            996..998 => Act::Spin,
            _ => Act::Stop,
        };
        let payload = match rng.u32(0..40) {
            0..30 => rng.usize(0..200),
            30..37 => rng.usize(0..20_000),
            37..39 => rng.usize(0..300_000),
            _ => rng.usize(0..3_000_000),
        };
        let needs_limit = chaos == Chaos::Stop || act.is_endless();
        Self {
            act,
            payload,
            idempotent: rng.u32(0..3) == 0,
            time_limit: (needs_limit || rng.u32(0..8) == 0).then_some(LIMIT),
            waits: rng.u32(0..4) > 0,
            cancel: (rng.u32(0..12) == 0).then(|| Duration::from_micros(rng.u64(0..3000))),
            detached: rng.u32(0..20) == 0,
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, number, workers, window, max_tasks, chaos, end, early, jobs, .. } = self;
        write!(
            f,
            "round {number} of seed {seed}: {workers} workers, window {window}, {max_tasks:?} tasks \
             each, {chaos:?}, {end:?} at {early:?}, {} jobs",
            jobs.len()
        )
    }
}
