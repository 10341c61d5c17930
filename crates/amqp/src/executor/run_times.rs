//! [`RunTimes`]: how long tasks run.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use outwork_core::TaskName;

use crate::{lock::lock, mean::Mean};

/// How long the tasks of each name have run of late, as their workers have measured it.
#[derive(Debug, Default)]
pub(super) struct RunTimes {
    means: Mutex<HashMap<TaskName, Mean>>,
}

/// So many names are remembered; then it begins anew.
const NAMES: usize = 1024;

impl RunTimes {
    pub(super) fn note(&self, name: &TaskName, time: Duration) {
        let mut means = lock(&self.means);
        if let Some(mean) = means.get_mut(name) {
            return mean.note(time);
        }
        if means.len() >= NAMES {
            means.clear();
        }
        means.entry(name.clone()).or_default().note(time);
    }

    /// How many tasks of this name make up so much work, if that is known.
    pub(super) fn tasks_in(&self, work: Duration, name: &TaskName) -> Option<usize> {
        let mean = lock(&self.means).get(name).and_then(|mean| mean.seconds())?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is positive, and what is too much becomes the most that there is"
        )]
        let tasks = (work.as_secs_f64() / mean.max(1e-9)) as usize;
        Some(tasks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_tasks_are_many_and_what_never_ran_is_unknown() {
        let times = RunTimes::default();
        let work = Duration::from_millis(250);
        let [short, long] = [TaskName::new("short").unwrap(), TaskName::new("long").unwrap()];
        assert_eq!(times.tasks_in(work, &short), None);
        times.note(&short, Duration::from_millis(1));
        times.note(&long, Duration::from_secs(1));
        assert_eq!(times.tasks_in(work, &short), Some(250));
        assert_eq!(times.tasks_in(work, &long), Some(0));
        times.note(&short, Duration::ZERO);
        assert_eq!(times.tasks_in(work, &short), Some(277));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let times = RunTimes::default();
        for name in 0..3 * NAMES {
            let name = TaskName::new(&format!("name{name}")).unwrap();
            times.note(&name, Duration::from_secs(1));
        }
        assert!(lock(&times.means).len() <= NAMES);
    }
}
