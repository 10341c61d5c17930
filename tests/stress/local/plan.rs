//! [`Plan`]: everything that is random in a round, drawn before it begins.

mod job;
mod step;

pub(super) use job::{Act, Body, Job, Via};
pub(super) use step::{Step, Stop};

use std::{fmt, num::NonZeroUsize, sync::Arc, time::Duration};

use fastrand::Rng;

/// How many threads submit, cancel, resize and stop at once.
const CLIENTS: usize = 8;

/// Everything that is random in a round. The same seed and number give the same plan.
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) number: u64,
    pub(super) kind: Kind,
    pub(super) workers: usize,
    pub(super) min_workers: usize,
    pub(super) keep_alive: Duration,
    pub(super) replace_after: Duration,
    pub(super) limit: NonZeroUsize,
    /// Whether the executor's events are read: closures take another path then.
    pub(super) listens: bool,
    pub(super) end: End,
    pub(super) pace: Pace,
    pub(super) jobs: Vec<Job>,
    /// What each client does.
    pub(super) clients: Vec<Vec<Step>>,
}

/// What executor it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Threads,
    Loops,
    Background,
    Inline,
}

/// How the round ends.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    /// By a stop, once the clients have done what they had to do.
    Stop(Stop),
    /// The last one who holds the executor drops it, and be it one of its own tasks.
    Drop,
}

/// What a round is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// A stop meets nothing but submissions, and all is over in a millisecond.
    Sprint,
    /// Everything that can happen.
    Walk,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Threads, Self::Loops, Self::Background, Self::Inline];

    fn random(rng: &mut Rng) -> Self {
        match rng.u8(..10) {
            0..=3 => Self::Threads,
            4..=6 => Self::Loops,
            7..=8 => Self::Background,
            _ => Self::Inline,
        }
    }

    /// The way that comes next to it on this executor.
    const fn offers(self, via: Via) -> Via {
        match (self, via) {
            (_, Via::Submit | Via::TrySubmit) => via,
            // A glance would leave the body half run.
            (Self::Inline, _) => Via::Submit,
            (Self::Threads, Via::SpawnLocal | Via::SubmitTo(_) | Via::SubmitKeyed(_)) => Via::Spawn,
            (Self::Threads | Self::Loops | Self::Background, _) => via,
        }
    }
}

impl Plan {
    /// The plan of a round.
    pub(super) fn of(seed: u64, number: u64) -> Arc<Self> {
        let mut rng = Rng::with_seed(seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let kind = Kind::random(&mut rng);
        Arc::new(Self::draw(&mut rng, seed, number, kind))
    }

    /// The plan of a round that starts what the process keeps: the timer's thread, for a task
    /// with a delay, and the shared runtime, for its async body.
    pub(super) fn warm_up(seed: u64, kind: Kind) -> Arc<Self> {
        let mut plan = Self::draw(&mut Rng::with_seed(seed), seed, 0, kind);
        plan.jobs = vec![Job::warm_up()];
        plan.clients = vec![vec![Step::Submit(0), Step::Wait(0)]];
        Arc::new(plan)
    }

    fn draw(rng: &mut Rng, seed: u64, number: u64, kind: Kind) -> Self {
        let workers = rng.usize(1..=4);
        // A walk takes as long as a dozen sprints.
        let pace = if rng.u8(..10) == 0 { Pace::Walk } else { Pace::Sprint };
        let places = if rng.bool() { rng.usize(..8) } else { rng.usize(..200) };
        let mut plan = Self {
            seed,
            number,
            kind,
            workers,
            min_workers: rng.usize(..=workers),
            keep_alive: micros(rng, 2000),
            replace_after: Duration::from_millis(rng.u64(1..20)),
            limit: NonZeroUsize::MIN.saturating_add(places),
            listens: rng.u8(..4) > 0,
            end: if rng.u8(..4) == 0 { End::Drop } else { End::Stop(Stop::random(rng)) },
            pace,
            jobs: Vec::new(),
            clients: Vec::new(),
        };
        let length = if pace == Pace::Sprint { rng.usize(1..16) } else { rng.usize(4..40) };
        for _ in 0..CLIENTS {
            let steps = step::draw(rng, &mut plan.jobs, pace, length);
            plan.clients.push(steps);
        }
        if pace == Pace::Sprint || rng.u8(..3) == 0 {
            let (client, stop) = (rng.usize(..CLIENTS), Stop::random(rng));
            let steps = &mut plan.clients[client];
            let place = rng.usize(..=steps.len());
            steps.insert(place, Step::Stop(stop));
        }
        plan.jobs.iter_mut().for_each(|job| job.via = kind.offers(job.via));
        plan
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, number, kind, workers, min_workers, limit, listens, end, .. } = self;
        let (pace, jobs) = (self.pace, &self.jobs);
        write!(
            f,
            "round {number} of seed {seed}, {pace:?}: {kind:?} of {workers}, of which {min_workers} "
        )?;
        writeln!(f, "stay, room for {limit}, {} jobs, read: {listens}, {end:?}", jobs.len())?;
        write!(f, "  again: cargo xtask stress local --seed {seed} --round {number} --repeat")
    }
}

/// Up to so many microseconds, most of them few.
fn micros(rng: &mut Rng, most: u64) -> Duration {
    let share = rng.f64();
    Duration::from_secs_f64(share * share * most as f64 / 1e6)
}
