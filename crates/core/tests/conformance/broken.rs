//! Pools that break the contract, each in its own way: the suite has to tell which.

use std::{
    collections::BTreeSet,
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    thread,
    time::Duration,
};

use outwork_core::{
    Cancel, EventFilter, EventHub, EventKind, EventStream, Executor, Handler, JobHandle,
    JoinSource, Outcome, Payload, Phase, State, TaskEvent, TaskHandle, TaskId, WaitKey,
    blocking::{ExecutorId, block_on},
    conformance::{Report, checks, run_some},
    engine::{Attempt, contain},
};

use crate::{
    Pools,
    threads::honestly,
    twisted::{Twist, Twisted},
};

/// The suite finds these promises broken, and no others; `perhaps` those where it depends on
/// who is quicker.
#[track_caller]
fn must_break(pools: &Pools, expected: &[&str], perhaps: &[&str]) {
    let all = checks();
    // Side by side, as those that wait in vain do little else.
    let reports = thread::scope(|scope| {
        let share = |names: Vec<_>| {
            scope.spawn(move || run_some(pools, |check| names.contains(&check.name)))
        };
        let shares = (0..SHARES).map(|n| all.iter().skip(n).step_by(SHARES).map(|c| c.name));
        let running: Vec<_> = shares.map(|names| share(names.collect())).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    let broken = reports.iter().flat_map(Report::broken).filter(|name| !perhaps.contains(name));
    let broken: BTreeSet<_> = broken.collect();
    let expected = expected.iter().copied().collect();
    assert_eq!(broken, expected, "{}", reports.iter().map(ToString::to_string).collect::<String>());
}

/// Among how many threads the checks are shared.
const SHARES: usize = 6;

/// Never tells that a task was cancelled.
#[derive(Debug)]
struct Secretive {
    hub: Arc<EventHub>,
    pump: Mutex<Option<thread::JoinHandle<()>>>,
}

impl Secretive {
    fn around(inner: Arc<dyn Executor>) -> Arc<dyn Executor> {
        let hub = Arc::new(EventHub::new());
        let mut events = inner.events(EventFilter::all());
        let tell = Arc::clone(&hub);
        let pass_on = move || {
            while let Some(event) = block_on(events.next()) {
                let event = event.unwrap();
                if !is_cancellation(&event) {
                    tell.emit(|| event);
                }
            }
            tell.close();
        };
        let pump = Mutex::new(Some(thread::Builder::new().spawn(pass_on).unwrap()));
        Arc::new(Twisted { inner, twist: Self { hub, pump } })
    }
}

const fn is_cancellation(event: &TaskEvent) -> bool {
    matches!(event.kind, EventKind::Finished { state: State::Cancelled, .. })
}

impl Twist for Secretive {
    fn events(&self, inner: &dyn Executor, filter: EventFilter) -> EventStream {
        if inner.status().phase == Phase::Stopped {
            self.pump.lock().unwrap().take().map(thread::JoinHandle::join);
        }
        self.hub.subscribe(filter)
    }
}

#[test]
fn an_executor_that_drops_a_terminal_event_is_found_out() {
    // Short, as some checks wait for the event in vain.
    let patience = Duration::from_secs(5);
    let pools = Pools { twist: Secretive::around, patience, ..Pools::honest() };
    let broken = [
        "cancel::cancelling_again_changes_nothing",
        "cancel::cancelling_all_counts_and_ends_them",
        "events::a_cancellation_before_the_start_is_told_in_order",
        "events::a_cancellation_is_told_in_order",
        "recorder::a_task_cancelled_while_it_is_recorded_ends_in_order",
        "shutdown::dropping_an_executor_is_cancel_pending",
        "streams::dropping_a_map_cancels_the_rest",
        "streams::dropping_run_multiple_cancels_the_rest",
    ];
    let perhaps = ["cancel::the_answer_agrees_with_the_end"];
    must_break(&pools, &broken, &perhaps);
}

/// Runs the body of a task that was cancelled while it was queued.
fn cancelled_or_not(attempt: Attempt, worker: &Arc<str>) {
    if !attempt.is_wanted()
        && let Handler::Sync(body) = attempt.handler()
    {
        drop(contain(|| body(&attempt.context(), attempt.task().payload())));
    }
    honestly(attempt, worker);
}

#[test]
fn an_executor_that_runs_a_cancelled_task_is_found_out() {
    let pools = Pools { run: cancelled_or_not, ..Pools::honest() };
    let broken = [
        "cancel::a_queued_task_never_runs",
        "cancel::cancelling_all_counts_and_ends_them",
        "order::a_task_that_is_late_expires",
    ];
    let perhaps = [
        "cancel::the_answer_agrees_with_the_end",
        "shutdown::a_deadline_of_zero_resolves_everything",
        "shutdown::every_handle_resolves",
    ];
    must_break(&pools, &broken, &perhaps);
}

/// Loses the results that are not there when it is shut down.
#[derive(Debug, Default)]
struct Forgetful {
    handles: Mutex<Vec<Weak<Loosely>>>,
}

/// A handle whose result can be lost.
#[derive(Debug)]
struct Loosely {
    handle: Mutex<TaskHandle>,
    id: TaskId,
    lost: AtomicBool,
    taken: AtomicBool,
}

impl Forgetful {
    fn around(inner: Arc<dyn Executor>) -> Arc<dyn Executor> {
        Arc::new(Twisted { inner, twist: Self::default() })
    }
}

impl Twist for Forgetful {
    fn handle(&self, handle: TaskHandle) -> TaskHandle {
        let loosely = Arc::new(Loosely {
            id: handle.task_id(),
            handle: Mutex::new(handle),
            lost: AtomicBool::new(false),
            taken: AtomicBool::new(false),
        });
        self.handles.lock().unwrap().push(Arc::downgrade(&loosely));
        TaskHandle::new(loosely)
    }

    fn before_shutdown(&self) {
        for loosely in self.handles.lock().unwrap().iter().filter_map(Weak::upgrade) {
            if !loosely.state().is_final() {
                loosely.lost.store(true, Ordering::SeqCst);
            }
        }
    }
}

impl Loosely {
    fn inner<T>(&self, get: impl FnOnce(&mut TaskHandle) -> T) -> T {
        get(&mut self.handle.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl JoinSource<Payload> for Loosely {
    fn poll_outcome(&self, cx: &mut Context<'_>, _: &mut WaitKey) -> Poll<Option<Outcome>> {
        if self.taken.load(Ordering::SeqCst) {
            return Poll::Ready(None);
        }
        let poll = self.inner(|handle| Pin::new(handle).poll(cx));
        if poll.is_ready() {
            self.taken.store(true, Ordering::SeqCst);
        }
        if self.lost.load(Ordering::SeqCst) { Poll::Pending } else { poll.map(Some) }
    }

    fn poll_ended(&self, cx: &mut Context<'_>, _: &mut WaitKey) -> Poll<()> {
        let poll = self.inner(|handle| pin!(handle.ended()).poll(cx));
        if self.lost.load(Ordering::SeqCst) { Poll::Pending } else { poll }
    }

    fn forget(&self, _: &mut WaitKey) {}

    fn task_id(&self) -> TaskId {
        self.id
    }

    fn state(&self) -> State {
        self.inner(|handle| handle.state())
    }

    fn cancel(self: Arc<Self>) -> Cancel {
        self.inner(|handle| handle.cancel())
    }

    fn events(&self) -> EventStream {
        self.inner(|handle| handle.events())
    }

    fn job_handle(self: Arc<Self>) -> JobHandle {
        self.inner(|handle| handle.job_handle())
    }

    fn executor(&self) -> ExecutorId {
        ExecutorId::new()
    }
}

#[test]
fn an_executor_that_loses_a_result_at_its_shutdown_is_found_out() {
    // Short, as every lost result is waited for in vain.
    let patience = Duration::from_secs(5);
    let pools = Pools { twist: Forgetful::around, patience, ..Pools::honest() };
    let broken = [
        "hooks::an_abort_tears_down",
        "nesting::a_task_can_stop_its_own_executor",
        "shutdown::a_deadline_of_zero_resolves_everything",
        "shutdown::a_drain_finishes_everything",
        "shutdown::a_draining_executor_takes_no_tasks",
        "shutdown::a_second_request_can_be_harsher",
        "shutdown::a_second_request_can_be_sooner",
        "shutdown::an_abort_stops_what_runs",
        "shutdown::cancel_pending_ends_retries",
        "shutdown::cancel_pending_finishes_what_runs",
        "shutdown::every_handle_resolves",
        "shutdown::not_waiting_returns_at_once",
        "shutdown::stopping_again_changes_nothing",
        "shutdown::the_deadline_bounds_a_stuck_body",
        "shutdown::the_deadline_forces_an_async_body",
        "shutdown::who_waits_for_room_is_told",
        "status::the_phase_is_told",
    ];
    must_break(&pools, &broken, &[]);
}

fn is_retried(attempt: &Attempt) -> bool {
    let options = serde_json::to_value(attempt.task().options()).unwrap();
    options["retry"]["max_attempts"] != 1
}

/// Tries a failed body again by itself, and leaves the policy to be applied once more.
fn twice_over(attempt: Attempt, worker: &Arc<str>) {
    let Handler::Sync(body) = attempt.handler().clone() else { return honestly(attempt, worker) };
    if !is_retried(&attempt) || attempt.has_surroundings() {
        return honestly(attempt, worker);
    }
    if !attempt.begin(worker) {
        return;
    }
    let ctx = attempt.context();
    let run = || contain(|| ctx.scope(|| body(&ctx, attempt.task().payload()))).flatten();
    let result = run().or_else(|_| run());
    attempt.finish_elsewhere(result);
}

#[test]
fn an_executor_that_applies_a_retry_twice_is_found_out() {
    let pools = Pools { run: twice_over, ..Pools::honest() };
    let broken = [
        "cancel::a_cancelled_task_is_not_tried_again",
        "cancel::a_task_between_attempts_can_be_cancelled",
        "capture::an_attempt_that_writes_nothing_has_no_output",
        "capture::each_attempt_has_its_own_output",
        "limits::each_attempt_has_its_own_limit",
        "retry::a_panic_is_tried_again",
        "retry::a_policy_can_leave_errors_of_the_handler_alone",
        "retry::a_success_ends_the_attempts",
        "retry::a_task_runs_as_often_as_its_policy_says",
        "retry::an_error_can_forbid_another_attempt",
        "shutdown::a_drain_finishes_everything",
        "shutdown::cancel_pending_ends_retries",
    ];
    must_break(&pools, &broken, &[]);
}
