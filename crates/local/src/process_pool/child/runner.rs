//! [`Worker`]: the child's work, from the first frame to the last.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError},
    time::{Duration, Instant},
};

use outwork_core::{
    BodyKind, Handler, Payload, Rejection, TaskContext, TaskError, TaskErrorKind, TaskName,
    blocking::block_on,
    engine::{contain, run_handler},
};
use rustix::{io::Errno, net::RecvFlags};

use super::{
    super::wire::{Decoder, FromChild, TaskFrame, ToChild, WireError},
    groups::Groups,
    host::Host,
    inbox::{Inbox, Next},
    link::Link,
    watch::Watch,
};
use crate::{command::Commands, runtime};

/// A body that is expected to take longer than this is announced before it begins.
const WORTH_TELLING: Duration = Duration::from_micros(50);

/// What the threads of a child share.
pub(super) struct Worker {
    pub(super) link: Arc<Link>,
    pub(super) inbox: Inbox,
    pub(super) watch: Watch,
    pub(super) groups: Arc<Groups>,
    /// Who holds it reads the socket.
    decoder: Mutex<Decoder>,
    /// The task that runs.
    current: Mutex<Option<Arc<Host>>>,
    frame_limit: usize,
}

/// The registered handlers in the order of their names, and how long each takes.
pub(super) struct Handlers(Vec<Known>);

struct Known {
    name: TaskName,
    handler: Handler,
    /// How long it usually takes.
    usual: Option<Duration>,
}

impl Handlers {
    pub(super) fn of(registry: &outwork_core::Registry) -> Self {
        let known = |task: &outwork_core::Registered| Known {
            name: task.name().clone(),
            handler: task.handler().clone(),
            usual: None,
        };
        Self(registry.iter().map(known).collect())
    }
}

impl Worker {
    pub(super) fn new(
        link: Arc<Link>,
        groups: Arc<Groups>,
        decoder: Decoder,
        frame_limit: usize,
    ) -> Self {
        Self {
            link,
            inbox: Inbox::default(),
            watch: Watch::default(),
            groups,
            decoder: Mutex::new(decoder),
            current: Mutex::new(None),
            frame_limit,
        }
    }

    /// Runs tasks until the pool says that the child is to leave.
    pub(super) fn work(&self, handlers: &mut Handlers) {
        // What came together with the first frame.
        let greeting = self.decoder.lock().unwrap_or_else(PoisonError::into_inner);
        self.dispatch_all(greeting);
        loop {
            match self.inbox.pop() {
                Next::Run(task) => self.run(handlers, task),
                Next::Leave => return self.link.flush(),
                Next::Empty => {
                    self.link.flush();
                    let decoder = match self.decoder.try_lock() {
                        Ok(decoder) => decoder,
                        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                        Err(TryLockError::WouldBlock) => {
                            self.inbox.wait();
                            continue;
                        }
                    };
                    // Who read the socket until now may have put something there.
                    if self.inbox.is_empty() {
                        self.receive(decoder);
                    }
                }
            }
        }
    }

    /// Reads the socket for the runner while its body takes long.
    pub(super) fn stand_in(&self, is_still_at_it: impl Fn() -> bool) {
        self.link.give_back(|| self.inbox.remove_all());
        self.inbox.stand_in(true);
        while is_still_at_it() {
            let Ok(decoder) = self.decoder.try_lock() else { break };
            self.receive(decoder);
        }
        self.inbox.stand_in(false);
    }

    /// Reads once, waiting for it, and does what it says.
    fn receive(&self, mut decoder: MutexGuard<'_, Decoder>) {
        let space = rustix::buffer::spare_capacity(decoder.space());
        match rustix::net::recv(self.link.socket(), space, RecvFlags::empty()) {
            Ok((0, _)) => self.hung_up(),
            Ok(_) => self.dispatch_all(decoder),
            Err(Errno::INTR) => {}
            Err(_) => self.hung_up(),
        }
    }

    /// The channel is closed: mostly because the pool is gone.
    fn hung_up(&self) -> ! {
        self.link.leave_behind(&FromChild::Refused("its channel was closed".to_owned()));
        self.groups.die()
    }

    fn dispatch_all(&self, mut decoder: MutexGuard<'_, Decoder>) {
        loop {
            let frame = decoder.next().and_then(|raw| raw.as_ref().map(ToChild::read).transpose());
            match frame {
                Ok(Some(frame)) => self.dispatch(frame),
                Ok(None) => return,
                Err(error) => self.give_up(&error),
            }
        }
    }

    /// What comes is not from a pool of this protocol: there is nobody to work for.
    fn give_up(&self, error: &WireError) -> ! {
        let _ = writeln!(io::stderr(), "a worker ends because its pool is not understood: {error}");
        self.groups.die()
    }

    fn dispatch(&self, frame: ToChild) {
        match frame {
            ToChild::Task(task) if self.watch.is_long() => {
                self.link.say(&FromChild::Returned { seq: task.seq });
            }
            ToChild::Task(task) => self.inbox.push(task),
            // One that has begun is not given back, but that may not have been written yet.
            ToChild::Recall { seq } => {
                self.link.give_back(|| self.inbox.remove(seq).then_some(seq));
            }
            ToChild::Stop { seq, level } => {
                if let Some(host) = self.current_of(seq) {
                    host.stop(level);
                }
            }
            ToChild::Answer { seq, refused } => {
                if let Some(host) = self.current_of(seq) {
                    host.answer(refused);
                }
            }
            ToChild::Leave => self.inbox.leave(),
            // The first frame was read before.
            ToChild::Hello(_) => {}
        }
    }

    fn current(&self) -> MutexGuard<'_, Option<Arc<Host>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn current_of(&self, seq: u64) -> Option<Arc<Host>> {
        self.current().as_ref().filter(|host| host.seq() == seq).map(Arc::clone)
    }

    /// The number of the task that runs, or 0.
    pub(super) fn current_seq(&self) -> u64 {
        self.current
            .try_lock()
            .ok()
            .and_then(|host| host.as_ref().map(|host| host.seq()))
            .unwrap_or(0)
    }

    fn run(&self, handlers: &mut Handlers, mut task: TaskFrame) {
        let seq = task.seq;
        let Some(Known { name, handler, usual }) = handlers.0.get_mut(task.task as usize) else {
            let error = TaskError::new(
                TaskErrorKind::Rejected(Rejection::UnknownTask),
                format!("no task has number {} in the worker", task.task),
            );
            return self.link.end(&FromChild::Failed { seq, nanos: 0, error });
        };
        let tell = task.tell_start || usual.is_none_or(|usual| usual > WORTH_TELLING);
        let payload = std::mem::take(&mut task.payload);
        let host = Host::new(task, name.clone(), Arc::clone(&self.link));
        *self.current() = Some(Arc::clone(&host));
        let ctx = TaskContext::new(Arc::clone(&host) as _);
        self.watch.begin();
        self.link.begin(seq, tell);
        let start = Instant::now();
        let result = run_body(handler, ctx, &payload);
        let took = start.elapsed();
        host.close();
        self.watch.end();
        *self.current() = None;
        *usual = Some(match *usual {
            // One that took long, as the first often does, is soon forgotten.
            Some(usual) if took < usual / 2 => usual / 2,
            Some(usual) => (usual * 7 + took) / 8,
            None => took,
        });
        let nanos = u32::try_from(took.as_nanos()).unwrap_or(u32::MAX);
        self.link.end(&match self.within_limit(result) {
            Ok(result) => FromChild::Done { seq, nanos, result },
            Err(error) => FromChild::Failed { seq, nanos, error },
        });
    }

    fn within_limit(&self, result: Result<Payload, TaskError>) -> Result<Payload, TaskError> {
        let payload = result?;
        if payload.len() <= self.frame_limit {
            return Ok(payload);
        }
        let (length, limit) = (payload.len(), self.frame_limit);
        let message = format!(
            "the result has {length} bytes, and {limit} can be sent: raise the pool's `max_payload`"
        );
        Err(TaskError::new(TaskErrorKind::OutputTooLarge { limit: limit as u64 }, message))
    }
}

fn run_body(handler: &Handler, ctx: TaskContext, payload: &Payload) -> Result<Payload, TaskError> {
    if let Handler::Sync(body) = handler {
        return contain(|| ctx.scope(|| body(&ctx, payload)))?;
    }
    let commands = Commands::default();
    let body = run_handler(handler, ctx, payload, &commands);
    // What has to be awaited may need timers and sockets.
    if handler.kind() == BodyKind::Command
        && let Some(runtime) = runtime::own()
    {
        return runtime.block_on(body);
    }
    match runtime::shared() {
        Ok(runtime) => {
            let _entered = runtime.enter();
            block_on(body)
        }
        Err(error) => Err(TaskError::new(TaskErrorKind::Infrastructure, error.to_string())),
    }
}
