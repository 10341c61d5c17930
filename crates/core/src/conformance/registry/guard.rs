//! [`Guard`]: a destructor that is noticed.

use crate::conformance::{script::AtEnd, support::note};

/// A destructor that is noticed.
#[derive(Debug)]
pub(super) struct Guard {
    at_end: AtEnd,
}

impl Guard {
    pub(super) const fn new(at_end: AtEnd) -> Self {
        Self { at_end }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        match &self.at_end {
            // A line that is missing is what the check will say.
            AtEnd::Note { log, line } => drop(note(log, line)),
            AtEnd::Panic(message) if !std::thread::panicking() => panic!("{message}"),
            AtEnd::Panic(_) => {}
        }
    }
}
