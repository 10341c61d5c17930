//! `outwork worker`: runs the tasks of queues.

mod allowed;
mod gate;
mod ready_file;
mod signals;

use std::{num::NonZeroUsize, pin::pin, process, sync::Arc, time::Duration};

use async_channel::Receiver;
use futures_util::{
    FutureExt,
    future::{Either, select},
};
use outwork_amqp::{AmqpWorker, AmqpWorkerBuilder, DrainReport};
use outwork_core::{Executor, Registry, Shutdown, blocking::block_on};
use signal_hook::low_level::emulate_default_handler;

use self::{allowed::Allowed, gate::gate, ready_file::ReadyFile, signals::Wish};
use crate::{
    args::WorkerArgs,
    broker,
    executors::{Executors, InFlight},
    exit_code::ExitCode,
    failure::{Failure, tell},
    logs, open_files, own_tasks,
};

/// How long the pool may take to stop what it was left with after the drain.
const LEFTOVERS: Duration = Duration::from_secs(2);

/// Runs tasks until a signal says that it is enough.
pub(super) fn worker(
    args: WorkerArgs,
    json: bool,
    executors: &Executors,
    registry: Registry,
    is_stock: bool,
) -> Result<ExitCode, Failure> {
    let allowed = Allowed::find(&args.allow_exec)?;
    let spec = executors.worker_spec(args.executor.as_deref(), args.concurrency)?;
    let options = broker::find(&args.broker, executors.file())?;
    let mut ready = args.ready_file.map(ReadyFile::prepare).transpose()?;
    let _log = logs::of_a_worker(json);
    logs::without_words_of_panics();
    warn_of_shells(&allowed);
    let withheld = match args.demo_tasks {
        true => Default::default(),
        false => own_tasks::demo_names(&registry, is_stock),
    };
    let pool = executors.build_pool(&spec, InFlight::PoolSize, registry)?.executor;
    make_room(&*pool);
    let mut builder =
        AmqpWorker::builder(options, Arc::clone(&pool)).admit(gate(allowed, withheld));
    for queue in args.queues {
        builder = builder.queue(queue);
    }
    if let Some(prefetch) = args.prefetch {
        builder = builder.prefetch(prefetch);
    }
    if let Some(name) = args.name {
        builder = builder.name(name);
    }
    let wishes = signals::listen()?;
    let Some(worker) = block_on(start(builder, &wishes))? else { return Ok(ExitCode::Success) };
    if let Some(ready) = &mut ready {
        ready.make()?;
    }
    match block_on(serve(&worker, &wishes, args.drain_timeout, ready)) {
        Ok(report) => {
            block_on(pool.shutdown(Shutdown::abort(LEFTOVERS)));
            Ok(code(&report))
        }
        Err(Killed(signal)) => {
            // First, so that the ends of what is killed are not taken for results.
            drop(worker);
            block_on(pool.shutdown(Shutdown::abort(Duration::ZERO)));
            // It does not return: these signals end a process.
            let _ = emulate_default_handler(signal);
            Ok(ExitCode::Signalled(u8::try_from(signal).unwrap_or_default()))
        }
    }
}

fn warn_of_shells(allowed: &Allowed) {
    for shell in allowed.shells() {
        tell(&format!(
            "--allow-exec {}: it runs whatever it is told, so that everybody who can reach the \
             queue can do what this user can",
            shell.display()
        ));
    }
}

/// Raises the limit of open files for the programs that may run at once.
fn make_room(pool: &dyn Executor) {
    let runs = NonZeroUsize::new(pool.status().workers).unwrap_or(NonZeroUsize::MIN);
    if open_files::room_for(runs) < runs {
        tell(&format!(
            "{runs} programs at once may need {} open files, and the limit is lower: raise it by \
             `ulimit -n`, or give a lower --concurrency",
            open_files::needed(runs)
        ));
    }
}

/// Starts the worker, unless it is told to stop before it could.
async fn start(
    builder: AmqpWorkerBuilder,
    wishes: &Receiver<Wish>,
) -> Result<Option<AmqpWorker>, Failure> {
    let stopped = async {
        loop {
            match wishes.recv().await {
                Ok(Wish::Stop(signal) | Wish::Kill(signal)) => return signal,
                Ok(Wish::Pause | Wish::Resume) => {}
                // The thread that hears signals ends with the process.
                Err(_) => std::future::pending().await,
            }
        }
    };
    match select(pin!(builder.start()), pin!(stopped)).await {
        Either::Left((worker, _)) => Ok(Some(worker?)),
        Either::Right((signal, _)) => {
            tell(&format!("{}: stopping before it was ready", signals::name(signal)));
            Ok(None)
        }
    }
}

/// The signal that is not to be waited for.
struct Killed(i32);

/// Takes tasks until it is told to stop, and stops.
async fn serve(
    worker: &AmqpWorker,
    wishes: &Receiver<Wish>,
    patience: Duration,
    ready: Option<ReadyFile>,
) -> Result<DrainReport, Killed> {
    let signal = first_stop(worker, wishes).await?;
    drop(ready);
    let (name, running) = (signals::name(signal), worker.status().running);
    let patience_shown = humantime::format_duration(patience);
    tell(&format!(
        "{name}: finishing what runs ({running}), for at most {patience_shown}; once more gives it \
         back, a third time kills"
    ));
    let mut draining = worker.drain(patience).boxed();
    let mut hurried = false;
    loop {
        match select(draining, pin!(wishes.recv())).await {
            Either::Left((report, _)) => return Ok(report),
            Either::Right((Ok(Wish::Stop(signal)), _)) if !hurried => {
                hurried = true;
                tell(&format!("{}: giving back what runs; once more kills", signals::name(signal)));
                draining = worker.drain(Duration::ZERO).boxed();
            }
            Either::Right((Ok(Wish::Stop(signal) | Wish::Kill(signal)), _)) => {
                return Err(Killed(signal));
            }
            // There is no way back from a stop.
            Either::Right((Ok(Wish::Pause | Wish::Resume) | Err(_), rest)) => draining = rest,
        }
    }
}

/// Pauses and resumes until it is told to stop.
async fn first_stop(worker: &AmqpWorker, wishes: &Receiver<Wish>) -> Result<i32, Killed> {
    loop {
        match wishes.recv().await {
            Ok(Wish::Stop(signal)) => return Ok(signal),
            Ok(Wish::Kill(signal)) => return Err(Killed(signal)),
            Ok(Wish::Pause) => {
                worker.pause();
                let id = process::id();
                tell(&format!("taking no more tasks; `kill -CONT {id}` takes them again"));
            }
            Ok(Wish::Resume) => {
                worker.resume();
                tell("taking tasks");
            }
            // The thread that hears signals ends with the process.
            Err(_) => std::future::pending().await,
        }
    }
}

/// How a worker ends that was told to.
fn code(report: &DrainReport) -> ExitCode {
    let were = |tasks| if tasks == 1 { "task was" } else { "tasks were" };
    let DrainReport { interrupted, unsettled, .. } = *report;
    if interrupted > 0 {
        let were = were(interrupted);
        tell(&format!("{interrupted} {were} stopped and given back to other workers"));
    }
    if unsettled > 0 {
        let were = were(unsettled as u64);
        tell(&format!(
            "{unsettled} {were} left: the broker cannot be told, and gives them to other workers"
        ));
    }
    match interrupted == 0 && unsettled == 0 {
        true => ExitCode::Success,
        false => ExitCode::DrainDeadlinePassed,
    }
}
