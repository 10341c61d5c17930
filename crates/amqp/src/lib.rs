//! Tasks on other machines, through RabbitMQ.
//!
//! The executor and the worker are not here yet; what they will promise is.
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
