//! Many tasks from many threads at once.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use super::*;
use crate::{EventKind, RetryPolicy, State, TaskError, TaskOptions};

const TASKS: usize = 20_000;
const THREADS: usize = 4;

/// What was told of one task, folded as it comes.
#[derive(Debug, Default)]
struct Told {
    submitted: u32,
    /// The attempt that started last.
    started: u32,
    retrying: u32,
    finished: Option<State>,
}

impl Told {
    /// Takes the next event in; whether it may come now.
    fn take(&mut self, attempt: u32, kind: &EventKind) -> bool {
        let accepted = self.submitted == 1 && self.finished.is_none();
        match kind {
            EventKind::Submitted => {
                self.submitted += 1;
                self.submitted == 1 && self.finished.is_none()
            }
            EventKind::Started { .. } => {
                let later = attempt > std::mem::replace(&mut self.started, attempt);
                accepted && later && attempt == self.retrying + 1
            }
            // An attempt can be lost before it has started.
            EventKind::Retrying { .. } => {
                self.retrying += 1;
                accepted && self.retrying == attempt
            }
            EventKind::CancelRequested | EventKind::Progress(_) => accepted,
            EventKind::Finished { state, .. } => {
                let first = self.finished.replace(*state).is_none();
                first && self.submitted == 1
            }
        }
    }
}

/// Runs what is in the queue until everything has ended, well or badly.
fn work(stage: &Stage, ended: &AtomicBool) {
    let mut rng = fastrand::Rng::new();
    loop {
        let Some(attempt) = stage.take_if_any() else {
            if ended.load(Ordering::SeqCst) {
                return;
            }
            thread::yield_now();
            continue;
        };
        let fate = rng.u8(..);
        if fate < 10 {
            drop(attempt);
        } else if fate < 60 {
            let handed_over = attempt.hand_over();
            if handed_over && (rng.bool() || attempt.take_back()) {
                let _ = attempt.begin(&stage::worker());
                attempt.finish_elsewhere(Ok(reply()));
            }
        } else if attempt.begin(&stage::worker()) {
            let failed = fate < 110;
            let error = || Err(TaskError::failed("on purpose"));
            attempt.finish_elsewhere(if failed { error() } else { Ok(reply()) });
        }
    }
}

/// Submits a share of the tasks and cancels some; what became of them.
fn submit(stage: &Stage, share: usize) -> Vec<(TaskId, State)> {
    let mut rng = fastrand::Rng::new();
    let retry = RetryPolicy::fixed(NonZeroU32::new(3).unwrap(), Duration::ZERO);
    let options = Arc::new(TaskOptions::new().retry(retry).idempotent(true));
    let mut handles = Vec::new();
    let mut ends = Vec::with_capacity(share);
    for _ in 0..share {
        let task = stage::BODY.task(&()).unwrap().with_options(Arc::clone(&options));
        let handle = block_on(stage.engine.submit(task)).unwrap();
        if rng.u8(..) < 80 {
            handle.cancel();
        }
        handles.push(handle);
        if handles.len() == 32 {
            let cancelled = rng.usize(..32);
            handles[cancelled].cancel();
            ends.extend(handles.drain(..).map(|mut h| (h.task_id(), end(&mut h).state())));
        }
    }
    ends.extend(handles.drain(..).map(|mut h| (h.task_id(), end(&mut h).state())));
    ends
}

#[test]
fn each_task_has_its_events_in_order_and_one_end() {
    let stage = Stage::with(|options| options.limit(100));
    let capacity = std::num::NonZeroUsize::new(TASKS * 16).unwrap();
    let mut events = stage.engine.events(EventFilter::all().capacity(capacity));
    let done = AtomicBool::new(false);
    let ends: Vec<_> = thread::scope(|scope| {
        for _ in 0..THREADS / 2 {
            scope.spawn(|| work(&stage, &done));
        }
        let submitters: Vec<_> =
            (0..THREADS / 2).map(|_| scope.spawn(|| submit(&stage, TASKS / 2))).collect();
        let ends = submitters.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        done.store(true, Ordering::SeqCst);
        ends
    });
    stage.must_be_at_rest();
    let mut told: HashMap<TaskId, Told> = HashMap::new();
    while let Some(event) = events.next_timeout(Duration::ZERO) {
        let event = event.expect("there is room for all events");
        let of_task = told.entry(event.task_id).or_default();
        assert!(of_task.take(event.attempt, &event.kind), "{event:?} after {of_task:?}");
    }
    assert_eq!((ends.len(), told.len()), (TASKS, TASKS));
    for (id, state) in &ends {
        assert_eq!(told[id].finished, Some(*state));
    }
    let counts = stage.engine.status().counts;
    let ended = |state| ends.iter().filter(|(_, end)| *end == state).count() as u64;
    assert_eq!(counts.submitted, TASKS as u64);
    assert_eq!(counts.succeeded, ended(State::Succeeded));
    assert_eq!(counts.failed, ended(State::Failed));
    assert_eq!(counts.cancelled, ended(State::Cancelled));
    assert_eq!(counts.lost, ended(State::Lost));
    assert_eq!(counts.retried, told.values().map(|told| u64::from(told.retrying)).sum::<u64>());
    assert!(counts.succeeded.min(counts.failed).min(counts.cancelled).min(counts.lost) > 0);
}
