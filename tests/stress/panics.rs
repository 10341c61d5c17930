//! Panics: those on purpose are silent, all others are faults.

use std::{
    panic,
    sync::{Mutex, PoisonError},
};

/// What panics on purpose say.
const ON_PURPOSE: &str = "on purpose";

/// What panicked that should not have.
static OTHERS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Keeps quiet about panics on purpose, and notes all others.
pub(crate) fn watch() {
    let loud = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if info.payload().downcast_ref::<&str>() == Some(&ON_PURPOSE) {
            return;
        }
        OTHERS.lock().unwrap_or_else(PoisonError::into_inner).push(info.to_string());
        loud(info);
    }));
}

/// Takes what panicked that should not have.
pub(crate) fn unwanted() -> Vec<String> {
    std::mem::take(&mut *OTHERS.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Panics without a word.
pub(crate) fn panic_on_purpose() -> ! {
    panic::panic_any(ON_PURPOSE)
}
