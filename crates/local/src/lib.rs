//! Executors on one machine.

mod command;
mod runtime;
mod settings;
mod thread_pool;

pub use thread_pool::{Permit, ThreadPool, ThreadPoolBuilder, ThreadPoolSettings, TrySpawnError};
