//! Tasks on other machines, through RabbitMQ.
//!
//! | to | use |
//! |---|---|
//! | hand tasks over, with all that an [`Executor`](outwork_core::Executor) promises | [`AmqpExecutor`] |
//! | run them, on any executor of this process | [`AmqpWorker`] |
//! | submit here, and ask for the result there | [`AmqpExecutor::submit_detached`], [`AmqpExecutor::job`] |
//! | join in with another language | the [contract] |
//! | see what is going on | the [telemetry] |
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use outwork_amqp::{AmqpExecutor, AmqpWorker, ConnectOptions};
//! use outwork_core::{Executor, ExecutorExt, TaskDef};
//!
//! const ADD: TaskDef<(u64, u64), u64> = TaskDef::new("demo.add");
//!
//! # async fn example(pool: Arc<dyn Executor>) -> Result<(), Box<dyn std::error::Error>> {
//! let options = ConnectOptions::new("amqp://guest:guest@localhost")?;
//! // On one machine, with a pool that has the task registered:
//! let worker = AmqpWorker::builder(options.clone(), pool).start().await?;
//! // On another one:
//! let executor = AmqpExecutor::builder(options).connect().await?;
//! assert_eq!(executor.call(ADD, &(1, 2)).await?, 3);
//! # drop(worker);
//! # Ok(())
//! # }
//! ```
//!
//! # Delivery
//!
//! At least once. `submit` returns once the broker has confirmed the task as durable.
//! A task runs twice only if its worker, or the worker's connection, was cut while the task was
//! in hand; it is never lost. Results are confirmed before the task is acknowledged, and nothing
//! is ever acknowledged away: what cannot be run goes to a dead queue with the reason.
//!
//! # What it shares with the local executors
//!
//! Tasks, handles, outcomes and events are those of [`outwork_core`]. Retries, delays and
//! time-outs of waiting tasks are the broker's, so this executor does not stand on
//! [`Engine`](outwork_core::engine::Engine); the pool behind a worker does, and sees
//! [single attempts](outwork_core::Task::single_attempt) only.

mod connection;
#[doc = include_str!("contract.md")]
pub mod contract {}
mod executor;
mod files;
mod lock;
mod mean;
mod publisher;
#[doc = include_str!("telemetry.md")]
pub mod telemetry;
mod topology;
mod wire;
mod worker;

pub use connection::{BrokerUrl, ConnectError, ConnectErrorKind, ConnectOptions};
pub use executor::{AmqpExecutor, AmqpExecutorBuilder, AmqpSettings, JobStatus, WorkerAnswer};
pub use topology::{InvalidName, QueueKind, QueueName};
pub use worker::{AmqpWorker, AmqpWorkerBuilder, DrainReport, WorkerStatus};

/// Reads bytes as a worker and a client would. For the fuzz target, and for nothing else.
#[cfg(fuzzing)]
#[doc(hidden)]
pub fn fuzz_wire(bytes: &[u8]) {
    wire::fuzz(bytes);
}
