//! One round: a pool is built, stressed and stopped, and then the accounts are settled.

use std::{
    fs, io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use bytes::Bytes;
use outwork_core::{
    BoxError, EventFilter, Executor, ExecutorStatus, Shutdown, Task, TaskHandle, TaskOptions,
    blocking::block_on,
};
use outwork_local::{ProcessPool, WorkerOutput};

use super::{
    audit::{self, Ends},
    body::{NOTE, Note, registry},
    chaos::disturb,
    ledger::{Ending, Fate, Record},
    plan::{Chaos, End, Plan},
    tally::Tally,
};
use crate::{
    panics,
    system::{self, Holdings},
    watch::waiting,
};

/// How many tasks a pool has room for, so that some have to wait for it.
const ROOM: NonZeroUsize = NonZeroUsize::new(64).expect("it is not zero");

/// More events than a task can have.
const EVENTS: usize = 16;

/// The deadline of a stop that ends by itself.
const LATER: Duration = Duration::from_secs(600);

/// How long a worker may take to begin where some are stopped for good, and where none is.
const SOON: Duration = Duration::from_millis(500);
const PATIENT: Duration = Duration::from_secs(20);

/// The round that is being played, for those who have to tell why it hangs.
#[derive(Clone, Default)]
pub(crate) struct Site(Arc<Mutex<String>>);

impl Site {
    fn is_at(&self, plan: &Plan) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = plan.to_string();
    }

    /// Everything that is known of a hang.
    pub(crate) fn hang(&self, stuck: &[String]) -> String {
        let plan = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        format!(
            "something hangs in {plan}\nwaiting:\n{}\nnow: {}, children {:?}\nthreads:\n{}",
            stuck.join("\n"),
            Holdings::now(),
            system::children(),
            system::threads(),
        )
    }
}

/// What is left of a round.
pub(super) struct Played {
    records: Vec<Record>,
    runs: Vec<u32>,
    ends: Ends,
    /// That of a pool that was stopped and not dropped.
    status: Option<ExecutorStatus>,
    disturbed: u64,
}

/// Plays a round and settles the accounts.
///
/// # Errors
///
/// Everything that was wrong.
pub(super) fn run(
    plan: &Arc<Plan>,
    site: &Site,
    before: Holdings,
    tally: &mut Tally,
) -> Result<(), String> {
    let Played { records, runs, ends, status, disturbed } = play(plan, site)?;
    await_nothing_left();
    until(&format!("threads and descriptors to be {before} again"), || Holdings::now() == before);
    let mut faults = audit::faults(plan, &records, &runs, &ends, status.as_ref());
    tally.add(&records, disturbed);
    faults.extend(panics::unwanted());
    if faults.is_empty() {
        return Ok(());
    }
    Err(format!("faults in {plan}\n  {}", faults.join("\n  ")))
}

/// Waits until no process is left, zombies included.
pub(super) fn await_nothing_left() {
    until("all workers to be gone", || system::children().is_empty());
}

/// Plays a round.
///
/// # Errors
///
/// When it could not be played.
pub(super) fn play(plan: &Arc<Plan>, site: &Site) -> Result<Played, String> {
    site.is_at(plan);
    let folder = Folder::new().map_err(|error| format!("a folder for the round: {error}"))?;
    let log = folder.0.join("log");
    let pool = build(plan).map_err(|error| error.to_string())?;
    let room = NonZeroUsize::MIN.saturating_add(plan.jobs.len() * EVENTS);
    let events = pool.events(EventFilter::all().capacity(room));
    let records: Vec<Record> = plan.jobs.iter().map(|_| Record::default()).collect();
    let over = AtomicBool::new(false);
    let (status, disturbed) = thread::scope(|threads| {
        let chaos = threads.spawn(|| disturb(plan, &over));
        let clients: Vec<_> = (0..plan.clients)
            .map(|client| {
                let (records, log, pool) = (&records, &log, Arc::clone(&pool));
                threads.spawn(move || submit_share(plan, client, records, log, &pool))
            })
            .collect();
        let early = plan.early.filter(|_| plan.end != End::Drop);
        if let Some(early) = early {
            thread::sleep(early);
            stop(&pool, plan.end);
        }
        let held: Vec<_> = clients.into_iter().flat_map(|client| client.join()).flatten().collect();
        let pool = finish(plan, pool);
        for (index, handle) in held {
            settle(plan, index, handle, &records[index]);
        }
        over.store(true, Ordering::SeqCst);
        let disturbed = chaos.join().unwrap_or_default();
        (pool.map(|pool| pool.status()), disturbed)
    });
    let _waiting = waiting("the end of the events");
    let ends = audit::read_ends(events)?;
    let runs = audit::runs_in(&fs::read_to_string(log).unwrap_or_default(), plan.jobs.len());
    Ok(Played { records, runs, ends, status, disturbed })
}

fn build(plan: &Plan) -> Result<Arc<ProcessPool>, BoxError> {
    let mut builder = ProcessPool::builder()
        .name("stress")
        .workers(plan.workers)
        .window(plan.window)
        .limit(ROOM)
        .start_timeout(if plan.chaos == Chaos::Stop { SOON } else { PATIENT })
        .output(WorkerOutput::Discard)
        .registry(registry()?);
    if let Some(most) = plan.max_tasks {
        builder = builder.max_tasks_per_worker(most);
    }
    Ok(Arc::new(builder.build()?))
}

/// Submits one client's share of the jobs; gives the handles that are kept.
fn submit_share(
    plan: &Plan,
    client: usize,
    records: &[Record],
    log: &Path,
    pool: &ProcessPool,
) -> Vec<(usize, TaskHandle<(usize, Bytes)>)> {
    let mut held = Vec::new();
    for (index, job) in plan.jobs.iter().enumerate().skip(client).step_by(plan.clients) {
        let Ok(task) = task(plan, index, log) else { continue };
        let record = &records[index];
        record.is_named(task.id());
        let submitted = if job.waits {
            let _waiting = waiting(format!("room for job {index}"));
            block_on(pool.submit(task))
        } else {
            pool.try_submit(task)
        };
        let Ok(handle) = submitted else { continue };
        record.becomes(Fate::Detached);
        if let Some(delay) = job.cancel {
            thread::sleep(delay);
            record.ask();
            let _ = handle.cancel();
        }
        if !job.detached {
            held.push((index, handle.decoded()));
        }
    }
    held
}

fn task(plan: &Plan, index: usize, log: &Path) -> Result<Task, BoxError> {
    let job = &plan.jobs[index];
    let payload = Bytes::from(vec![7; job.payload]);
    let note = Note { job: index, act: job.act, log: log.to_owned(), payload };
    let mut options =
        TaskOptions::new().idempotent(job.idempotent).grace(Duration::from_millis(20));
    if let Some(limit) = job.time_limit {
        options = options.time_limit(limit)?;
    }
    Ok(NOTE.task(&note)?.with_options(options))
}

/// Stops or drops the pool; gives one that was stopped.
fn finish(plan: &Plan, pool: Arc<ProcessPool>) -> Option<Arc<ProcessPool>> {
    let _waiting = waiting(format!("the end by {:?}", plan.end));
    if plan.end == End::Drop {
        return None;
    }
    stop(&pool, plan.end);
    // It may not have waited until all is over.
    stop(&pool, End::Drain);
    until("nothing to be in flight", || pool.status().in_flight == 0);
    Some(pool)
}

fn stop(pool: &ProcessPool, end: End) {
    let _waiting = waiting(format!("a stop by {end:?}"));
    block_on(pool.shutdown(match end {
        End::Drain | End::Drop => Shutdown::drain(LATER),
        End::CancelPending => Shutdown::cancel_pending(LATER),
        End::Abort(deadline) => Shutdown::abort(deadline),
    }));
}

fn settle(plan: &Plan, index: usize, mut handle: TaskHandle<(usize, Bytes)>, record: &Record) {
    let _waiting = waiting(format!("the end of job {index}, {:?}", plan.jobs[index]));
    // This thread is no worker, so it may wait.
    if let Ok(outcome) = handle.wait() {
        record.becomes(Fate::Ended(Ending::of(outcome)));
    }
}

/// Waits until something is so that nobody tells about; the watch sees when that never comes.
fn until(what: &str, mut so: impl FnMut() -> bool) {
    let _waiting = waiting(format!("for {what}"));
    while !so() {
        thread::sleep(Duration::from_micros(500));
    }
}

/// A folder that is gone with its guard.
struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("outwork-stress-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left there harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}
