//! The contract of Outwork: what a task is, what an executor promises, and the engine and the
//! suite that make executors keep it.
//!
//! Write a task once, register it under a name, and run it on any [`Executor`].
//! This crate has no runtime and no pools of its own: `outwork-local` has the thread pool, the
//! event-loop pool and their kin.
//!
//! | to | use |
//! |---|---|
//! | say what is to be run | [`TaskDef`], [`Task`], [`TaskOptions`] |
//! | say what a name means | [`Registry`], [`TaskContext`] |
//! | run it | [`Executor`], [`ExecutorExt`], [`TaskHandle`], [`Outcome`] |
//! | watch it | [`EventStream`], [`Hooks`], [`Recorder`] |
//! | write an executor | [`engine::Backend`], [`engine::Engine`], and the feature `conformance` |

mod admission;
mod cancel;
mod capabilities;
mod capture;
mod clock;
mod codec;
mod command;
mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
mod context;
mod counters;
mod def;
pub mod engine;
mod error;
mod event;
mod executor;
mod executor_ext;
mod handle;
mod handler;
mod hooks;
mod id;
mod job_handle;
mod join_cell;
mod kinds;
mod likeness;
mod metadata;
#[cfg(all(shuttle, any(test, feature = "models")))]
#[doc(hidden)]
pub mod models;
mod name;
mod options;
mod os_bytes;
mod outcome;
mod own_line;
mod payload;
mod priority;
mod recorder;
mod registry;
mod retained;
mod retry;
mod scoped;
mod shutdown;
mod state;
mod status;
mod sync;
mod task;
mod timer;
mod trace;
mod waiters;

pub mod blocking;

pub use admission::{Admission, NoRoom, Slot};
pub use blocking::WorkerScope;
pub use cancel::{Cancel, CancelSource, Cancelled, StopLevel};
pub use capabilities::{Capabilities, Stopping};
pub use capture::{CapturePlace, Captured, OutputSink, StreamTarget};
pub use clock::Clock;
pub use codec::Codec;
pub use command::{CommandReport, CommandSpec};
pub use config::ExecutorConfig;
pub use context::{ContextHost, Progress, TaskContext};
pub use counters::Counters;
pub use def::TaskDef;
pub use error::{
    AttachError, BoxError, BuildError, CallError, LossReason, Placed, Refusal, Rejection,
    SubmitError, SubmitErrorKind, SubmitManyError, TaskError, TaskErrorKind, WaitError, WorkerLost,
    WouldDeadlock,
};
pub use event::{EventFilter, EventHub, EventKind, EventStream, Lagged, Listener, TaskEvent};
pub use executor::{Batch, Executor};
pub use executor_ext::{
    BlockingIter, ExecutorExt, Indexed, Limits, Map, RunMultiple, WaitMany, wait_many,
};
pub use futures_core::future::BoxFuture;
pub use handle::{JoinSource, TaskHandle};
pub use handler::{AsyncBody, BodyKind, CommandBody, Handler, SyncBody};
pub use hooks::Hooks;
pub use id::{ParseTaskIdError, TaskId};
pub use job_handle::JobHandle;
pub use join_cell::JoinCell;
pub use kinds::{ExecutorKinds, KindChange, KindChanges};
pub use likeness::nearest_names;
pub use metadata::{DispatchInfo, Metadata};
pub use name::{InvalidTaskName, TaskName};
pub use options::{OptionsError, TaskOptions};
pub use os_bytes::OsBytes;
pub use outcome::{Outcome, Output, Report, Timings};
pub use payload::{DecodeError, EncodeError, Payload, Position};
pub use priority::Priority;
pub use recorder::{Change, Recorder};
pub use registry::{RegisterError, Registered, Registry};
pub use retained::Retained;
pub use retry::{RetryOn, RetryPolicy};
pub use scoped::ScopedExecutor;
pub use shutdown::{Shutdown, ShutdownMode, ShutdownReport};
pub use state::State;
pub use status::{Counts, ExecutorStatus, Phase};
pub use task::Task;
pub use timer::{Timer, TimerKey};
pub use trace::TraceContext;
pub use waiters::WaitKey;
