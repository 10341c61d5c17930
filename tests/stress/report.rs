//! [`Report`]: what a stress has to say to the thread that watches over it.

use std::sync::mpsc::Sender;

/// What a stress has to say to the thread that watches over it.
pub(crate) enum Report {
    Progress(String),
    Ended(Result<String, String>),
}

impl Report {
    /// Says it; nobody hears it when the watching thread has given up.
    pub(crate) fn to(self, watcher: &Sender<Self>) {
        let _ = watcher.send(self);
    }
}
