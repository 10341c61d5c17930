//! [`Chunks`]: tasks in bulk, on their way together.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use outwork_core::{Refusal, Task};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::{checked::invalid, client::Client};
use crate::{
    publisher::{Outgoing, PublishError},
    wire::{Envelope, Item, encode_chunk, item_len},
};

/// Tasks in bulk. While some are being confirmed others gather, and those that differ in their
/// arguments only go together: not more than make up a short piece of work, so that a worker
/// is not given what others could be doing.
#[derive(Debug)]
pub(super) struct Chunks {
    due: mpsc::UnboundedSender<Due>,
}

/// One task that may go with others.
#[derive(Debug)]
pub(super) struct Due {
    task: Task,
    envelope: Envelope,
    give_up: Instant,
    told: Told,
}

/// Who wants to know what became of a task: told exactly once, on every path.
struct Told(Option<Done>);

type Done = Box<dyn FnOnce(Result<(), PublishError>) + Send + Sync>;

/// How many chunks are being confirmed at most, while others gather.
const ON_THEIR_WAY: usize = 16;

/// How many tasks a chunk has at most, about how many bytes, and how much work.
const TASKS: usize = 1024;
const BYTES: usize = 256 * 1024;
const WORK: Duration = Duration::from_millis(250);

/// How long tasks wait for others while some are being confirmed. The broker takes longer to put
/// one message on the disk.
const LINGER: Duration = Duration::from_millis(1);

/// Whether a task may go together with others: if it is like all of its name. What is its own
/// beside the arguments would not travel.
pub(super) fn may_gather(task: &Task, limit: usize) -> bool {
    let options = task.options();
    let is_plain = options.delay.is_none() && options.expires.is_none();
    is_plain
        && task.attempts_made() == 0
        && task.metadata().iter().next().is_none()
        && task.payload().len() < BYTES.min(limit) / 4
}

impl Chunks {
    /// A place to put tasks, and where they come out, for [`send`].
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<Due>) {
        let (due, gathered) = mpsc::unbounded_channel();
        (Self { due }, gathered)
    }

    /// Hands a task over; `done` is called with what became of it.
    pub(super) fn hand_over(
        &self,
        task: Task,
        envelope: Envelope,
        give_up: Instant,
        done: impl FnOnce(Result<(), PublishError>) + Send + Sync + 'static,
    ) {
        // The receiver goes with the runtime's thread, and what is dropped has been told.
        let _ = self.due.send(Due { task, envelope, give_up, told: Told(Some(Box::new(done))) });
    }
}

/// Sends what is due, for as long as there is a client.
pub(super) async fn send(client: Weak<Client>, mut due: mpsc::UnboundedReceiver<Due>) {
    let places = Arc::new(Semaphore::new(ON_THEIR_WAY));
    let mut waiting = VecDeque::new();
    while let Some(first) = due.recv().await {
        waiting.push_back(first);
        while !waiting.is_empty() {
            // Whoever waits for a task has its client.
            let Some(client) = client.upgrade() else { return };
            let place = client.place_for(&mut waiting, &places).await;
            let is_first = places.available_permits() + 1 >= ON_THEIR_WAY;
            if !is_first && waiting.len() + due.len() < TASKS {
                tokio::time::sleep(LINGER).await;
            }
            while let Ok(more) = due.try_recv() {
                waiting.push_back(more);
            }
            if let Some(place) = place {
                client.send_chunk(&mut waiting, place).await;
            }
        }
    }
}

/// The right to send: tasks that are known to be short wait for their turn, so that others can
/// gather; those that would go alone do not wait.
struct Place {
    _together: Option<OwnedSemaphorePermit>,
}

impl Client {
    /// Waits until the first of what is waiting may be sent; `None` when it was given up.
    async fn place_for(
        &self,
        waiting: &mut VecDeque<Due>,
        places: &Arc<Semaphore>,
    ) -> Option<Place> {
        let first = waiting.front()?;
        if self.most_together(first) <= 1 {
            return Some(Place { _together: None });
        }
        let late = tokio::time::sleep_until(first.give_up.into());
        tokio::select! {
            // It is never closed.
            place = Arc::clone(places).acquire_owned() => Some(Place { _together: place.ok() }),
            () = late => {
                let blocked = self.publisher.link().is_blocked();
                let first = waiting.pop_front()?;
                first.told.tell(Err(PublishError::not_sent(blocked)));
                None
            }
        }
    }

    /// How many tasks like this one make up a short piece of work. Of what was not measured yet,
    /// one.
    fn most_together(&self, due: &Due) -> usize {
        self.run_times.tasks_in(WORK, &due.envelope.name).unwrap_or(1)
    }

    /// Sends the first of what is waiting, and with it those that go together, if there is more
    /// for other workers as well.
    async fn send_chunk(&self, waiting: &mut VecDeque<Due>, place: Place) {
        let Some(first) = waiting.front() else { return };
        let share = waiting.len().div_ceil(self.workers_of(&first.envelope.queue).max(1));
        let most = self.most_together(first).min(share);
        let count = together(waiting, most, BYTES.min(self.options.payload_limit()));
        let chunk: Vec<_> = waiting.drain(..count).collect();
        match self.encode(&chunk) {
            Ok(outgoing) => self.publish_chunk(outgoing, chunk, place).await,
            Err(refusal) => {
                let error = PublishError::unwritable(&refusal.to_string());
                chunk.into_iter().for_each(|due| due.told.tell(Err(error.clone())));
            }
        }
    }

    async fn publish_chunk(&self, outgoing: Outgoing, chunk: Vec<Due>, place: Place) {
        let told: Vec<_> = chunk.into_iter().map(|due| due.told).collect();
        let done = move |published: Result<(), PublishError>| {
            drop(place);
            told.into_iter().for_each(|told| told.tell(published.clone()));
        };
        // Then all were dropped, and told with it.
        let _ = self.publisher.hand_over(outgoing, done).await;
    }

    fn encode(&self, chunk: &[Due]) -> Result<Outgoing, Refusal> {
        let [first, others @ ..] = chunk else { return Err(Refusal::closed()) };
        if others.is_empty() {
            let body = self.body(&first.task)?;
            return Ok(self.message(&first.envelope, Duration::ZERO, body, first.give_up));
        }
        let items: Vec<_> = chunk.iter().map(Due::item).collect();
        let (codec, options) = (first.task.payload().codec(), first.task.options());
        let (properties, body) = encode_chunk(&first.envelope, codec, options, &items)
            .map_err(|error| invalid(error.to_string()))?;
        let message = self.message(&first.envelope, Duration::ZERO, body, first.give_up);
        Ok(Outgoing { properties, ..message })
    }
}

/// How many of those that wait make up one message, from the first on.
fn together(waiting: &VecDeque<Due>, most: usize, limit: usize) -> usize {
    let Some(first) = waiting.front() else { return 0 };
    let mut bytes = 0;
    let like_it = waiting.iter().take(most.min(TASKS)).take_while(|due| {
        bytes += item_len(due.task.payload().len());
        bytes < limit && due.goes_with(first)
    });
    like_it.count().max(1)
}

impl Due {
    fn goes_with(&self, first: &Self) -> bool {
        let (own, other) = (&self.envelope, &first.envelope);
        let (options, others) = (self.task.options(), first.task.options());
        own.name == other.name
            && own.queue == other.queue
            && own.schema == other.schema
            && own.watched == other.watched
            && self.task.payload().codec() == first.task.payload().codec()
            && (std::ptr::eq(options, others) || options == others)
    }

    fn item(&self) -> Item<'_> {
        let Envelope { id, submitted, .. } = self.envelope;
        Item { id, submitted, args: self.task.payload().bytes() }
    }
}

impl Told {
    fn tell(mut self, result: Result<(), PublishError>) {
        if let Some(done) = self.0.take() {
            done(result);
        }
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        if let Some(done) = self.0.take() {
            done(Err(PublishError::closed()));
        }
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Told").field(&self.0.is_some()).finish()
    }
}

#[cfg(test)]
mod tests {
    use outwork_core::{Codec, Payload};

    use super::*;

    const ARGS: &str = "3";

    /// How many of those that wait, by their names, make up the first message.
    fn first_of(names: &[&str], most: usize, limit: usize) -> usize {
        let due = |name: &&str| {
            let envelope = Envelope::plain(name);
            let task = Task::new(envelope.name.clone(), Payload::new(Codec::Json, ARGS));
            Due { task, envelope, give_up: Instant::now(), told: Told(None) }
        };
        together(&names.iter().map(due).collect(), most, limit)
    }

    #[test]
    fn those_alike_go_together_up_to_a_number_and_a_size() {
        assert_eq!(first_of(&["a", "a", "a"], 9, BYTES), 3);
        assert_eq!(first_of(&["a", "a", "a"], 2, BYTES), 2);
        assert_eq!(first_of(&["a", "a", "b", "a"], 9, BYTES), 2);
        assert_eq!(first_of(&["a"; TASKS + 1], usize::MAX, usize::MAX), TASKS);
        assert_eq!(first_of(&["a"; 4], 9, 2 * item_len(ARGS.len()) + 1), 2);
        assert_eq!(first_of(&["a"; 4], 9, 1), 1, "what is too much goes alone");
        assert_eq!(first_of(&["a"; 4], 0, BYTES), 1, "something always goes");
    }
}
