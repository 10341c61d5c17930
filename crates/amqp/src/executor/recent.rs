//! [`RecentEnds`]: how the tasks ended that ended last.

use std::{collections::VecDeque, sync::Mutex};

use outwork_core::TaskId;

use crate::{lock::lock, wire::JobRecord};

/// How the tasks ended that ended last, for whoever asks.
#[derive(Debug, Default)]
pub(super) struct RecentEnds(Mutex<VecDeque<JobRecord>>);

/// So many are remembered.
const KEPT: usize = 1024;

impl RecentEnds {
    pub(super) fn add(&self, record: JobRecord) {
        let mut ends = lock(&self.0);
        if ends.len() >= KEPT {
            ends.pop_front();
        }
        ends.push_back(record);
    }

    /// The last end of a task of that id.
    pub(super) fn get(&self, id: TaskId) -> Option<JobRecord> {
        lock(&self.0).iter().rev().find(|record| record.id == id).cloned()
    }
}
