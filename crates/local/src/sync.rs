//! Locks, atomics, threads and channels: those that ship, and in the models those of the model
//! checker, which tries the orders in which threads can meet there.

#[cfg(all(shuttle, test))]
pub(crate) mod channel;

#[cfg(all(shuttle, test))]
pub(crate) use shuttle::{
    sync::{Mutex, MutexGuard, atomic},
    thread,
};
#[cfg(not(all(shuttle, test)))]
pub(crate) use {
    crossbeam_channel as channel,
    std::{
        sync::{Mutex, MutexGuard, atomic},
        thread,
    },
};
