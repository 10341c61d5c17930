//! One round: an executor is built, stressed and stopped, and then the accounts are settled.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::{Arc, Barrier, Mutex, PoisonError, Weak, mpsc},
    thread,
    time::Duration,
};

use outwork_core::{EventFilter, ExecutorStatus, Shutdown};

use super::{
    body,
    client::Client,
    held::Held,
    plan::{End, Plan, Stop},
    stage::Stage,
    subject::{self, Subject},
    tale::Tales,
    tally::Tally,
};
use crate::{
    panics,
    system::{self, Holdings},
    watch::waiting,
};

/// More events than a job can have: one of each kind for each of its attempts.
const EVENTS: usize = 16;

/// What the names of clients' threads begin with.
const CLIENT: &str = "client";

/// The deadline of a stop that ends by itself.
const LATER: Duration = Duration::from_secs(600);

/// How long an executor may take to say how it is.
const ANSWER: Duration = Duration::from_secs(2);

/// The round that is being played, for those who have to tell why it hangs.
#[derive(Clone, Default)]
pub(crate) struct Site(Arc<Mutex<Weak<Stage>>>);

/// A round that is not looked at; its own threads have left when this returns.
///
/// # Errors
///
/// When it could not be played.
pub(super) fn warm_up(plan: &Arc<Plan>, site: &Site) -> Result<(), String> {
    drop(play(plan, site)?);
    let own = |name: &String| name.starts_with(subject::NAME) || name.starts_with(CLIENT);
    until("the threads of the first rounds to leave", || !system::thread_names().iter().any(own));
    Ok(())
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
    let Played { stage, tales, status } = play(plan, site)?;
    until(&format!("threads and descriptors to be {before} again"), || Holdings::now() == before);
    if let Some(status) = status {
        stage.audit_status(&status, tales.as_ref());
    }
    stage.audit(tales.as_ref());
    tally.add(&stage);
    let mut faults = stage.take_faults();
    faults.extend(panics::unwanted());
    if faults.is_empty() {
        return Ok(());
    }
    Err(format!("faults in {plan}\n  {}", faults.join("\n  ")))
}

/// What is left of a round.
struct Played {
    stage: Arc<Stage>,
    tales: Option<Tales>,
    /// That of an executor that was stopped and not dropped.
    status: Option<ExecutorStatus>,
}

fn play(plan: &Arc<Plan>, site: &Site) -> Result<Played, String> {
    let stage = Stage::new(plan);
    let registry = body::registry(&stage).map_err(|error| error.to_string())?;
    let subject = Subject::build(plan, registry).map_err(|error| error.to_string())?;
    stage.set_subject(&subject);
    *site.lock() = Arc::downgrade(&stage);

    let room = NonZeroUsize::MIN.saturating_add(plan.jobs.len() * EVENTS);
    let filter = EventFilter::all().capacity(room);
    let events = plan.listens.then(|| subject.executor().events(filter));
    let (subject, held) = play_clients(&stage, subject)?;
    if let (Some(subject), End::Stop(stop)) = (&subject, plan.end) {
        let _waiting = waiting(format!("the last stop, {stop:?}"));
        stage.stop(subject, stop);
        // It may not have waited, and there are jobs that do not stop by themselves.
        stage.stop(subject, Stop(Shutdown::drain(LATER)));
    }
    for (index, mut held) in held {
        let _waiting = waiting(format!("the end of job {index}, {:?}", stage.job(index)));
        match held.wait(None) {
            Ok(ending) => stage.settle(index, &mut held, ending),
            Err(error) => stage.fault(format!("job {index} was waited for: {error}")),
        }
    }
    let tales = match events {
        Some(events) => {
            let _waiting = waiting("the end of the events");
            Some(Tales::read(events)?)
        }
        None => None,
    };
    let status = subject.map(|subject| {
        // A body that was given up keeps its place until it is over.
        until("nothing to be in flight", || subject.executor().status().in_flight == 0);
        subject.executor().status()
    });
    Ok(Played { stage, tales, status })
}

/// The executor, unless it was to be dropped, and the handles that are left.
type Left = (Option<Arc<Subject>>, BTreeMap<usize, Held>);

/// Lets all clients go at once, and waits for them.
fn play_clients(stage: &Arc<Stage>, subject: Arc<Subject>) -> Result<Left, String> {
    let count = stage.plan.clients.len();
    let start = Arc::new(Barrier::new(count));
    let clients = (0..count).map(|number| {
        let client = Client::new(number, Arc::clone(stage), Arc::clone(&subject));
        let start = Arc::clone(&start);
        let thread = thread::Builder::new().name(format!("{CLIENT}-{number}"));
        thread.spawn(move || {
            start.wait();
            client.play()
        })
    });
    let clients: Vec<_> =
        clients.collect::<Result<_, _>>().map_err(|error| format!("a client: {error}"))?;
    let subject = matches!(stage.plan.end, End::Stop(_)).then_some(subject);
    let mut held = BTreeMap::new();
    for client in clients {
        match client.join() {
            Ok(left) => held.extend(left),
            Err(_) => stage.fault("a client panicked"),
        }
    }
    Ok((subject, held))
}

/// Waits until something is so that nobody tells about; the watch sees when that never comes.
fn until(what: &str, mut so: impl FnMut() -> bool) {
    let _waiting = waiting(format!("for {what}"));
    while !so() {
        thread::sleep(Duration::from_micros(200));
    }
}

impl Site {
    fn lock(&self) -> std::sync::MutexGuard<'_, Weak<Stage>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything that is known of a hang.
pub(crate) fn hang(site: &Site, stuck: &[String]) -> String {
    let stage = site.lock().upgrade();
    let plan = stage.as_ref().map_or_else(String::new, |stage| stage.plan.to_string());
    let status = stage.map_or_else(|| "it is gone".to_owned(), status_of);
    format!(
        "something hangs in {plan}\nwaiting:\n{}\nthe executor: {status}\nnow: {}\nthreads:\n{}",
        stuck.join("\n"),
        Holdings::now(),
        system::threads(),
    )
}

/// How the executor says it is. It is asked on another thread, for it may be what hangs.
fn status_of(stage: Arc<Stage>) -> String {
    let (send, answer) = mpsc::channel();
    let ask = move || {
        // The answer first: the drop of the executor may hang as well.
        let subject = stage.subject();
        let status = subject.as_ref().map(|subject| subject.executor().status());
        // Nobody hears it when it comes too late.
        let _ = send.send(status);
    };
    let asked = thread::Builder::new().name("ask".to_owned()).spawn(ask);
    match asked.map(|_| answer.recv_timeout(ANSWER)) {
        Ok(Ok(Some(status))) => format!("{status:?}"),
        Ok(Ok(None)) => "its owners are gone".to_owned(),
        Ok(Err(_)) => format!("it does not say how it is in {ANSWER:?}"),
        Err(error) => format!("nobody could ask it: {error}"),
    }
}
