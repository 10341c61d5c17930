//! Executors on one machine, over the engine of `outwork-core`.
//!
//! | work | executor |
//! |---|---|
//! | functions that block or compute, programs | [`ThreadPool`] |
//! | the same, where one that crashes, hangs or leaks must not harm the others | [`ProcessPool`] |
//! | futures, also those that are not `Send` | [`EventLoopPool`] |
//! | a few futures beside a synchronous program | [`BackgroundLoop`] |
//! | tests and debugging | [`Inline`] |
//! | dry runs | [`Noop`] |
//!
//! Each runs every kind of body correctly, and keeps the same contract: see
//! [`Executor`](outwork_core::Executor).

mod anonymous;
mod background;
mod command;
mod event_loop;
mod inline;
mod kinds;
mod noop;
mod process_pool;
mod room;
mod runtime;
mod settings;
mod sync;
mod thread_pool;

pub use background::BackgroundLoop;
#[cfg(unix)]
pub use command::{PausedCommands, pause_commands};
pub use event_loop::{
    BlockingStream, EventLoopPool, EventLoopPoolBuilder, EventLoopSettings, NoSuchLoop,
};
pub use inline::{Inline, InlineBuilder, InlineSettings};
pub use kinds::kinds;
pub use noop::Noop;
#[cfg(all(fuzzing, unix))]
pub use process_pool::fuzz_wire;
pub use process_pool::{
    ProcessPool, ProcessPoolBuilder, ProcessPoolSettings, WorkerHealth, WorkerOutput, is_worker,
    worker_entry,
};
pub use thread_pool::{Permit, ThreadPool, ThreadPoolBuilder, ThreadPoolSettings, TrySpawnError};
