//! Locks, atomics, threads, channels and the runtime of a loop: those that ship, and in the models
//! those of the model checker, which tries the orders in which threads can meet there.

#[cfg(all(shuttle, test))]
pub(crate) mod channel;
#[cfg(all(shuttle, test))]
mod condvar;
#[cfg(all(shuttle, test))]
pub(crate) mod local;

#[cfg(all(shuttle, test))]
pub(crate) use self::condvar::Condvar;
#[cfg(all(shuttle, test))]
pub(crate) use shuttle::{
    sync::{Mutex, MutexGuard, atomic, mpsc},
    thread, thread_local,
};
#[cfg(not(all(shuttle, test)))]
pub(crate) use {
    crossbeam_channel as channel,
    std::{
        sync::{Condvar, Mutex, MutexGuard, atomic, mpsc},
        thread, thread_local,
    },
};

/// What a loop runs on.
#[cfg(not(all(shuttle, test)))]
pub(crate) mod local {
    pub(crate) use tokio::{
        runtime::{Builder, LocalOptions, LocalRuntime},
        task::{spawn_local, yield_now},
    };
}
