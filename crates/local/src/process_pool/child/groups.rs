//! The groups of the programs that tasks have started, and the end of everything.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use rustix::process::{
    Pid, Signal, getpgrp, getpid, kill_current_process_group, kill_process, kill_process_group,
};

use super::{super::wire::FromChild, link::Link};
use crate::command::GroupWatch;

/// Which groups there are. While one is being started this is locked, so that none can begin
/// unseen while everything is being killed.
#[derive(Default)]
pub(super) struct Groups {
    alive: Mutex<HashSet<Pid>>,
}

impl Groups {
    /// Kills every program of a task, and then this process with its own group.
    pub(super) fn die(&self) -> ! {
        let alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner);
        for group in &*alive {
            // What is gone already needs no signal.
            let _ = kill_process_group(*group, Signal::KILL);
        }
        if getpgrp() == getpid() {
            let _ = kill_current_process_group(Signal::KILL);
        }
        let _ = kill_process(getpid(), Signal::KILL);
        std::process::abort()
    }
}

/// Tells the pool of each group, so that it can be killed when this process is gone.
pub(super) struct Reporter {
    pub(super) groups: Arc<Groups>,
    pub(super) link: Arc<Link>,
}

impl GroupWatch for Reporter {
    fn start(&self, start: &mut dyn FnMut() -> Option<Pid>) {
        let mut alive = self.groups.alive.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(group) = start() else { return };
        alive.insert(group);
        self.link.say(&FromChild::Spawned { group: number(group) });
    }

    fn reaped(&self, group: Pid) {
        let mut alive = self.groups.alive.lock().unwrap_or_else(PoisonError::into_inner);
        alive.remove(&group);
        self.link.say(&FromChild::Reaped { group: number(group) });
    }
}

fn number(group: Pid) -> u32 {
    group.as_raw_nonzero().get().unsigned_abs()
}
