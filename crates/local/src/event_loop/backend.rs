//! [`LoopBackend`]: the loops and the threads beside them, as the engine sees them.

use std::{
    cell::Cell,
    fmt,
    sync::{Arc, PoisonError},
};

use outwork_core::{
    Admission, BodyKind, BoxFuture, BuildError, Capabilities, EventHub, ExecutorConfig,
    WorkerScope, WouldDeadlock,
    blocking::{Compensate, ExecutorId},
    engine::{Attempt, AttemptKey, Backend, Close, Surroundings, WorkerToken},
};

use super::{
    builder::EventLoopSettings,
    generation::{Generation, LocalLoop},
    slot::{LoopSlot, Work},
    spawned::Spawnable,
    watch::Watch,
};
use crate::{
    command::Commands,
    room::Place,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
        local::{Builder, LocalOptions, LocalRuntime},
        mpsc, thread, thread_local,
    },
    thread_pool::{ThreadBackend, ThreadPoolSettings},
};

/// Blocking work of libraries that run on a loop, such as name look-ups, gets this many
/// threads for each loop; tokio's own default is 512.
const BLOCKING_THREADS: usize = 4;

/// The loops, and the threads for bodies that block.
#[derive(Debug)]
pub(crate) struct LoopBackend {
    pub(super) shared: Arc<Shared>,
    threads: ThreadBackend,
    settings: EventLoopSettings,
    kind: &'static str,
}

/// What the loops share.
pub(super) struct Shared {
    id: ExecutorId,
    pub(super) hub: Arc<EventHub>,
    pub(super) admission: Arc<Admission>,
    pub(super) commands: Commands,
    pub(super) slots: Vec<Arc<LoopSlot>>,
    pub(super) watch: Watch,
    token: Mutex<Option<WorkerToken>>,
    closed: AtomicBool,
    /// What runs is made to stop, and what starts all the same.
    stops_running: AtomicBool,
    /// Nobody waits any more for what runs.
    gives_up: AtomicBool,
}

thread_local! {
    /// The pool whose loop runs on this thread.
    static LOOP_OF: Cell<Option<ExecutorId>> = const { Cell::new(None) };
}

/// Whether this thread runs a loop of that pool, so that blocking here would stop it.
pub(super) fn is_loop_of(pool: ExecutorId) -> bool {
    LOOP_OF.with(Cell::get) == Some(pool)
}

impl LoopBackend {
    pub(super) fn new(
        pool: Surroundings,
        settings: EventLoopSettings,
        kind: &'static str,
    ) -> Result<Self, BuildError> {
        let slots = (0..settings.size()).map(|index| {
            let name = format!("{}-{index}", settings.name);
            LoopSlot::new(name, Generation::new(pool.token.clone()))
        });
        let shared = Arc::new(Shared {
            id: pool.id,
            hub: Arc::clone(&pool.hub),
            admission: Arc::clone(&pool.admission),
            commands: Commands::default(),
            slots: slots.collect(),
            watch: Watch::new(&settings, pool.timer.clone()),
            token: Mutex::new(Some(pool.token.clone())),
            closed: AtomicBool::new(false),
            stops_running: AtomicBool::new(false),
            gives_up: AtomicBool::new(false),
        });
        // Dropped on an early return, it closes those that were started.
        let started = CloseOnDrop(Some(&shared));
        for slot in &shared.slots {
            shared.start_loop(slot, slot.generation())?;
        }
        let beside = ThreadPoolSettings {
            workers: Some(settings.size()),
            min_workers: Some(0),
            name: format!("{}-blocking", settings.name),
            ..ThreadPoolSettings::default()
        };
        let threads = ThreadBackend::new(pool, beside)?;
        started.keep();
        Ok(Self { shared, threads, settings, kind })
    }

    pub(super) fn loops(&self) -> usize {
        self.shared.slots.len()
    }

    /// Gives a spawned future to a loop, of this number or of the least load.
    pub(super) fn enqueue(&self, index: Option<usize>, spawned: Arc<dyn Spawnable>) {
        let slot =
            index.map_or_else(|| self.shared.least_loaded(), |index| &self.shared.slots[index]);
        self.shared.push(slot, Work::Spawned(spawned));
    }
}

/// Closes loops that were started for a pool that could not be built.
struct CloseOnDrop<'a>(Option<&'a Arc<Shared>>);

impl CloseOnDrop<'_> {
    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(shared) = self.0 {
            shared.slots.iter().for_each(|slot| slot.close());
        }
    }
}

impl Shared {
    /// The loop with the least to do that is not stalled; of several, the first.
    fn least_loaded(&self) -> &Arc<LoopSlot> {
        self.slots
            .iter()
            .min_by_key(|slot| (slot.is_stalled(), slot.load()))
            .expect("a pool has at least one loop")
    }

    fn push(self: &Arc<Self>, slot: &LoopSlot, work: Work) {
        match slot.push(work) {
            Ok(()) => self.watch.arm(self),
            Err(refused) => self.cancel(refused),
        }
    }

    fn cancel(&self, work: Work) {
        match work {
            Work::Attempt(attempt) => drop(attempt),
            Work::Spawned(spawned) => {
                let _place = Place::of(&self.admission);
                spawned.cancel_queued(&self.hub);
            }
        }
    }

    fn cancel_queued(&self) {
        for slot in &self.slots {
            while let Ok(work) = slot.intake.try_recv() {
                slot.unload();
                self.cancel(work);
            }
        }
    }

    /// Starts a thread that serves a loop.
    pub(super) fn start_loop(
        self: &Arc<Self>,
        slot: &Arc<LoopSlot>,
        generation: Arc<Generation>,
    ) -> Result<(), BuildError> {
        let runtime = |error| BuildError::system("an event loop", &error);
        let builder = || {
            Builder::new_current_thread()
                .enable_all()
                .max_blocking_threads(BLOCKING_THREADS)
                .build_local(LocalOptions::default())
        };
        // The runtime is bound to its thread, so it is built there and the result sent back.
        let (send, built) = mpsc::sync_channel(1);
        let (shared, slot) = (Arc::clone(self), Arc::clone(slot));
        let name = slot.name.to_string();
        thread::Builder::new()
            .name(name)
            .spawn(move || match builder() {
                Err(error) => drop(send.send(Err(error))),
                Ok(runtime) => {
                    let _ = send.send(Ok(()));
                    shared.run_loop(slot, generation, &runtime);
                }
            })
            .map_err(runtime)?;
        built.recv().unwrap_or(Ok(())).map_err(runtime)
    }

    fn run_loop(
        self: Arc<Self>,
        slot: Arc<LoopSlot>,
        generation: Arc<Generation>,
        runtime: &LocalRuntime,
    ) {
        let _scope = WorkerScope::enter(self.id, Arc::new(NoSpares(self.id)));
        LOOP_OF.with(|pool| pool.set(Some(self.id)));
        let _leaving = ForgetToken(Arc::clone(&generation));
        runtime.block_on(LocalLoop::new(self, slot, generation).serve());
    }

    /// Puts another thread in charge of a loop that is stuck. When there can be none, the loop
    /// stays as it is, and whoever looks at it next tries again.
    pub(super) fn replace(self: &Arc<Self>, slot: &Arc<LoopSlot>, stuck: &Arc<Generation>) {
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(token) = token else { return };
        let next = Generation::new(token);
        if let Err(error) = self.start_loop(slot, Arc::clone(&next)) {
            tracing::error!(%error, worker = %slot.name, "a stuck loop could not be replaced");
            return next.forget_token();
        }
        let in_charge = slot.succeed(stuck, &next);
        self.stop_newcomer(&next);
        if in_charge {
            slot.set_stalled(false);
            tracing::warn!(worker = %slot.name, "an event loop is stuck and gets another thread");
        }
    }

    /// Makes a thread stop that came too late for those who stopped the others: either they find
    /// it in its place, or it is seen here that they were there.
    fn stop_newcomer(&self, newcomer: &Generation) {
        if self.stops_running() {
            newcomer.stop();
        }
        if self.gives_up.load(Ordering::SeqCst) {
            newcomer.abandon(&self.hub);
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    pub(super) fn stops_running(&self) -> bool {
        self.stops_running.load(Ordering::SeqCst)
    }

    fn close(&self, how: Close) {
        self.closed.store(true, Ordering::Relaxed);
        self.slots.iter().for_each(|slot| slot.close());
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(token);
        if how >= Close::CancelQueued {
            self.cancel_queued();
        }
        if how >= Close::StopRunning {
            self.stops_running.store(true, Ordering::SeqCst);
            self.generations().for_each(|generation| generation.stop());
        }
        if how == Close::Abandon {
            self.gives_up.store(true, Ordering::SeqCst);
            self.generations().for_each(|generation| generation.abandon(&self.hub));
        }
    }

    fn generations(&self) -> impl Iterator<Item = Arc<Generation>> {
        self.slots.iter().flat_map(|slot| slot.generations())
    }
}

/// Drops the thread's token when it leaves, however it leaves.
struct ForgetToken(Arc<Generation>);

impl Drop for ForgetToken {
    fn drop(&mut self) {
        self.0.forget_token();
    }
}

/// A loop has no spare: blocking on its own pool would stop it.
struct NoSpares(ExecutorId);

impl Compensate for NoSpares {
    fn block(&self, target: ExecutorId) -> Result<Box<dyn Send>, WouldDeadlock> {
        if target == self.0 { Err(WouldDeadlock) } else { Ok(Box::new(())) }
    }
}

impl Backend for LoopBackend {
    fn start(&self, attempt: Attempt) {
        match attempt.kind() {
            BodyKind::Sync => self.threads.start(attempt),
            BodyKind::Async | BodyKind::Command => {
                self.shared.push(self.shared.least_loaded(), Work::Attempt(attempt));
            }
        }
    }

    fn abandon(&self, key: AttemptKey) -> bool {
        for slot in &self.shared.slots {
            let generations = slot.generations();
            let Some(generation) = generations.iter().find(|one| one.runs(key)) else { continue };
            if generation.is_polling() && !generation.is_replaced() {
                self.shared.replace(slot, generation);
            }
            return true;
        }
        self.threads.abandon(key)
    }

    fn drive(&self, future: BoxFuture<'static, ()>) {
        self.threads.drive(future);
    }

    fn close(&self, how: Close) {
        self.shared.close(how);
        self.threads.close(how);
    }

    fn workers(&self) -> usize {
        self.loops()
    }

    fn capabilities(&self) -> Capabilities {
        // A loop starts what it is given in the order in which it comes.
        let mut capabilities = Capabilities::IN_PROCESS;
        capabilities.priorities = false;
        capabilities
    }

    fn config(&self) -> ExecutorConfig {
        let settings = EventLoopSettings { loops: Some(self.loops()), ..self.settings.clone() };
        ExecutorConfig::new(self.kind, &settings)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("slots", &self.slots).finish_non_exhaustive()
    }
}
