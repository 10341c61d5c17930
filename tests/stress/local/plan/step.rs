//! [`Step`]: one thing that a client does.

use std::{ops::Range, time::Duration};

use fastrand::Rng;
use outwork_core::{Batch, Shutdown};

use super::{
    Pace,
    job::{Act, Job, Via},
    micros,
};

/// One thing that a client does. Jobs are named by their place in the plan.
#[derive(Debug, Clone)]
pub(in crate::local) enum Step {
    Submit(usize),
    SubmitMany(Range<usize>, Batch),
    /// By its handle, if the client has it.
    Cancel(usize),
    /// By its id, whoever has it.
    CancelById(usize),
    CancelAll,
    Wait(usize),
    WaitAtMost(usize, Duration),
    /// Gives the handle up.
    Detach(usize),
    /// Gets another handle by the address.
    Attach(usize),
    /// Reads an event of the job, and then no more.
    Watch(usize),
    Status,
    Resize(usize),
    Stop(Stop),
    Pause(Duration),
}

/// A stop, as data.
#[derive(Debug, Clone, Copy)]
pub(in crate::local) struct Stop(pub(in crate::local) Shutdown);

impl Stop {
    pub(super) fn random(rng: &mut Rng) -> Self {
        let deadline = match rng.u8(..4) {
            0 => Duration::ZERO,
            1 => micros(rng, 20_000),
            // One that does not matter: the watch is less patient.
            _ => Duration::from_secs(600),
        };
        let how = match rng.u8(..3) {
            0 => Shutdown::drain(deadline),
            1 => Shutdown::cancel_pending(deadline),
            _ => Shutdown::abort(deadline),
        };
        Self(how.wait(rng.u8(..3) > 0))
    }
}

/// Draws what one client does, and adds the jobs that it needs.
pub(super) fn draw(rng: &mut Rng, jobs: &mut Vec<Job>, pace: Pace, length: usize) -> Vec<Step> {
    let mut own = Vec::new();
    let mut steps = Vec::with_capacity(length);
    while steps.len() < length {
        let step = match pace {
            Pace::Sprint => sprint(rng, jobs),
            Pace::Walk => draw_one(rng, jobs, &own),
        };
        match &step {
            Step::Submit(job) => own.push(*job),
            Step::SubmitMany(range, _) => own.extend(range.clone()),
            _ => {}
        }
        steps.push(step);
    }
    steps
}

/// A submission of something short.
fn sprint(rng: &mut Rng, jobs: &mut Vec<Job>) -> Step {
    let via = random_via(rng);
    jobs.push(Job::random(rng, via, Act::Nothing).short());
    Step::Submit(jobs.len() - 1)
}

fn draw_one(rng: &mut Rng, jobs: &mut Vec<Job>, own: &[usize]) -> Step {
    let Some(job) = rng.choice(own).copied() else { return Step::Submit(add_job(rng, jobs)) };
    match rng.u8(..100) {
        0..=54 => Step::Submit(add_job(rng, jobs)),
        55..=59 => {
            let batch = if rng.bool() { Batch::Wait } else { Batch::Fit };
            let (first, count) = (jobs.len(), rng.usize(1..6));
            jobs.extend((0..count).map(|_| Job::random(rng, Via::Submit, Act::Nothing)));
            Step::SubmitMany(first..first + count, batch)
        }
        60..=67 => Step::Cancel(job),
        68..=73 => Step::CancelById(rng.usize(..jobs.len())),
        74 => Step::CancelAll,
        75..=80 => Step::Wait(job),
        81..=84 => Step::WaitAtMost(job, micros(rng, 2000)),
        85..=88 => Step::Detach(job),
        89 => Step::Attach(job),
        90 => Step::Watch(job),
        91..=92 => Step::Status,
        93..=95 => Step::Resize(rng.usize(1..=6)),
        _ => Step::Pause(micros(rng, 3000)),
    }
}

/// Adds a job, and the one that it nests.
fn add_job(rng: &mut Rng, jobs: &mut Vec<Job>) -> usize {
    let act = match rng.u8(..100) {
        0..=48 => Act::Nothing,
        // Longer than a stop has patience with it.
        49 => Act::Sleep(micros(rng, 60_000)),
        50..=61 => Act::Sleep(micros(rng, 3000)),
        62..=73 => Act::Spin(micros(rng, 3000)),
        74..=83 => Act::Listen(micros(rng, 6000)),
        84..=95 => Act::Nest(add_job(rng, jobs)),
        96 if rng.u8(..4) == 0 => Act::Stop(Stop::random(rng)),
        96..=97 => Act::Resize(rng.usize(1..=6)),
        // It may be a job that comes later, or this very one.
        _ => Act::Cancel(rng.usize(..=jobs.len())),
    };
    let via = random_via(rng);
    jobs.push(Job::random(rng, via, act));
    jobs.len() - 1
}

fn random_via(rng: &mut Rng) -> Via {
    match rng.u8(..20) {
        0..=4 => Via::Submit,
        5..=7 => Via::TrySubmit,
        8 => Via::Glance,
        9..=12 => Via::Spawn,
        13..=14 => Via::TrySpawn,
        15 => Via::Reserve,
        16..=17 => Via::SpawnLocal,
        18 => Via::SubmitTo(rng.usize(..4)),
        _ => Via::SubmitKeyed(rng.u64(..)),
    }
}
