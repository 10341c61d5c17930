//! Locks, atomics and thread-locals: those of the standard library, and in the models those of
//! the model checker, which tries the orders in which threads can meet there.

#[cfg(all(shuttle, test))]
pub(crate) use shuttle::{
    sync::{Mutex, MutexGuard, atomic},
    thread_local,
};
#[cfg(not(all(shuttle, test)))]
pub(crate) use std::{
    sync::{Mutex, MutexGuard, atomic},
    thread_local,
};
