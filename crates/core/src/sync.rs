//! Locks, atomics, threads and thread-locals: those of the standard library, and in the models
//! those of the model checker, which tries the orders in which threads can meet there.

#[cfg(all(shuttle, any(test, feature = "models")))]
pub(crate) use crate::models::parking::{self, WakeFlag};
#[cfg(all(shuttle, any(test, feature = "models")))]
pub(crate) use shuttle::{
    sync::{Mutex, MutexGuard, RwLock, RwLockWriteGuard, atomic},
    thread, thread_local,
};
#[cfg(not(all(shuttle, any(test, feature = "models"))))]
pub(crate) use std::{
    sync::{Mutex, MutexGuard, RwLock, RwLockWriteGuard, atomic, atomic::AtomicBool as WakeFlag},
    thread, thread as parking, thread_local,
};
