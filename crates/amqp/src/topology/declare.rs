//! Declaring what is needed, or checking that it is there.

use std::future::Future;

use lapin::{
    Channel, Connection,
    options::{
        ExchangeBindOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
        QueueDeleteOptions,
    },
    types::{FieldTable, ShortString},
};

use super::{
    Prefix, QueueKind, QueueName,
    mismatch::explain,
    objects::{Binding, Exchange, Objects, Queue, Target},
};
use crate::connection::{ConnectError, ConnectErrorKind, ConnectOptions, open_channel};

/// What is known of a queue that is there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Declared {
    pub(crate) consumers: u32,
}

/// Declares all that a worker of these queues needs.
///
/// A worker that may not declare is content when the queues are there: then whoever may has
/// declared everything.
pub(crate) async fn declare_worker(
    options: &ConnectOptions,
    connection: &Connection,
    queues: &[QueueName],
    kind: QueueKind,
) -> Result<(), ConnectError> {
    match declare_all(options, connection, queues, kind).await {
        Err(error) if error.kind() == ConnectErrorKind::NotPermitted => {
            for queue in queues {
                // What may not be declared and is not there has to be told as the former.
                let found = verify_queue(options, connection, queue).await;
                found.map_err(|_missing| error.clone())?;
            }
            tracing::debug!(%error, "using what is there, because it may not be declared");
            Ok(())
        }
        declared => declared,
    }
}

async fn declare_all(
    options: &ConnectOptions,
    connection: &Connection,
    queues: &[QueueName],
    kind: QueueKind,
) -> Result<(), ConnectError> {
    let prefix = options.names();
    let scratch = Scratch::open(options, connection).await?;
    scratch.declare(Objects::shared(prefix)).await?;
    for queue in queues {
        scratch.declare(Objects::queue(prefix, queue, kind)).await?;
    }
    scratch.close().await
}

/// Declares the queue of a client's replies, which is all that a client declares.
pub(crate) async fn declare_client(
    options: &ConnectOptions,
    connection: &Connection,
    replies: &ShortString,
) -> Result<(), ConnectError> {
    let scratch = Scratch::open(options, connection).await?;
    let binding = |key| Binding {
        from: options.names().reply_exchange(),
        to: Target::Queue(replies.clone()),
        key,
    };
    let bindings = vec![binding(replies.clone()), binding(Prefix::all_clients())];
    let queues = vec![Queue::replies(replies.clone())];
    scratch.declare(Objects { queues, bindings, ..Objects::default() }).await?;
    scratch.close().await
}

/// Deletes a queue, whatever is in it. One that is not there is no error.
pub(crate) async fn delete_queue(
    options: &ConnectOptions,
    connection: &Connection,
    queue: &ShortString,
) -> Result<(), ConnectError> {
    let scratch = Scratch::open(options, connection).await?;
    let call = scratch.channel.queue_delete(queue.clone(), QueueDeleteOptions::default());
    scratch.answer("queue", queue.as_str(), call).await?;
    scratch.close().await
}

/// Whether the queue of a client's replies is gone: it expires when nobody reads it for long.
pub(crate) async fn was_deleted(
    options: &ConnectOptions,
    connection: &Connection,
    replies: &ShortString,
) -> Result<bool, ConnectError> {
    let scratch = Scratch::open(options, connection).await?;
    match scratch.look(replies).await {
        Ok(_) => scratch.close().await.map(|()| false),
        // The broker has closed the channel.
        Err(error) if error.kind() == ConnectErrorKind::Missing => Ok(true),
        Err(error) => Err(error),
    }
}

/// Looks for a task queue without making it, which catches a mistyped name.
pub(crate) async fn verify_queue(
    options: &ConnectOptions,
    connection: &Connection,
    queue: &QueueName,
) -> Result<Declared, ConnectError> {
    let scratch = Scratch::open(options, connection).await?;
    let found = scratch.look(&options.names().task_queue(queue)).await?;
    scratch.close().await?;
    Ok(found)
}

/// A channel for declarations only: a refused one closes its channel.
struct Scratch<'a> {
    options: &'a ConnectOptions,
    channel: Channel,
}

impl<'a> Scratch<'a> {
    async fn open(
        options: &'a ConnectOptions,
        connection: &Connection,
    ) -> Result<Self, ConnectError> {
        Ok(Self { options, channel: open_channel(options, connection).await? })
    }

    async fn declare(&self, objects: Objects) -> Result<(), ConnectError> {
        for exchange in objects.exchanges {
            self.declare_exchange(exchange).await?;
        }
        for queue in objects.queues {
            self.declare_queue(queue).await?;
        }
        for binding in objects.bindings {
            self.bind(binding).await?;
        }
        Ok(())
    }

    async fn declare_exchange(&self, exchange: Exchange) -> Result<(), ConnectError> {
        let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
        let (name, kind) = (exchange.name.clone(), exchange.kind);
        let call = self.channel.exchange_declare(name, kind, options, FieldTable::default());
        self.answer("exchange", exchange.name.as_str(), call).await
    }

    async fn declare_queue(&self, queue: Queue) -> Result<(), ConnectError> {
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        let call = self.channel.queue_declare(queue.name.clone(), options, queue.arguments);
        self.answer("queue", queue.name.as_str(), call).await.map(drop)
    }

    async fn look(&self, name: &ShortString) -> Result<Declared, ConnectError> {
        let options = QueueDeclareOptions { passive: true, ..Default::default() };
        let call = self.channel.queue_declare(name.clone(), options, FieldTable::default());
        let queue = self.answer("queue", name.as_str(), call).await?;
        Ok(Declared { consumers: queue.consumer_count() })
    }

    async fn bind(&self, binding: Binding) -> Result<(), ConnectError> {
        let Binding { from, to, key } = binding;
        let none = FieldTable::default();
        match to {
            Target::Queue(queue) => {
                let options = QueueBindOptions::default();
                let call = self.channel.queue_bind(queue, from.clone(), key, options, none);
                self.answer("exchange", from.as_str(), call).await
            }
            Target::Exchange(to) => {
                let options = ExchangeBindOptions::default();
                let call = self.channel.exchange_bind(to, from.clone(), key, options, none);
                self.answer("exchange", from.as_str(), call).await
            }
        }
    }

    async fn answer<T>(
        &self,
        what: &str,
        name: &str,
        call: impl Future<Output = lapin::Result<T>>,
    ) -> Result<T, ConnectError> {
        let url = self.options.broker();
        match tokio::time::timeout(self.options.limit(), call).await {
            Ok(answer) => answer.map_err(|error| explain(url, what, name, error)),
            Err(_) => Err(ConnectError::timed_out(url, "a declaration", self.options.limit())),
        }
    }

    /// Closed before it is dropped: a channel that is dropped while the broker closes it takes
    /// its connection along.
    async fn close(self) -> Result<(), ConnectError> {
        let call = self.channel.close(200, "done".into());
        self.answer("channel", "of the declarations", call).await
    }
}
