//! How many runs of a program the limit of open files has room for.

use std::num::NonZeroUsize;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a run takes: its pipes, what tells of its end, the runtime of its thread, and for a moment
/// the program's side of the pipes.
const PER_RUN: u64 = 12;

/// What we have open ourselves, and some more.
const OURS: u64 = 64;

/// So many of `runs` as there is room for. The soft limit is raised where it is in the way, and not
/// before: programs inherit it, and those that use select(2) may rely on a low one.
pub(crate) fn room_for(runs: NonZeroUsize) -> NonZeroUsize {
    let wanted = needed(runs);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= wanted) {
        return runs;
    }
    let raised = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let current = match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }) {
        Ok(()) => raised,
        Err(_) => current.unwrap_or(wanted),
    };
    if current < wanted { fitting(current) } else { runs }
}

/// How many files so many runs may have open.
pub(crate) fn needed(runs: NonZeroUsize) -> u64 {
    u64::try_from(runs.get()).unwrap_or(u64::MAX).saturating_mul(PER_RUN).saturating_add(OURS)
}

fn fitting(files: u64) -> NonZeroUsize {
    let runs = usize::try_from(files.saturating_sub(OURS) / PER_RUN).unwrap_or(usize::MAX);
    NonZeroUsize::new(runs).unwrap_or(NonZeroUsize::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_needs_no_more_than_there_is() {
        for files in [100, 1024, 20_000] {
            let runs = fitting(files);
            assert!(needed(runs) <= files, "{files}");
            assert!(needed(runs.saturating_add(1)) > files, "{files}");
        }
        assert_eq!(fitting(0), NonZeroUsize::MIN, "one at a time may still work");
        assert_eq!(needed(NonZeroUsize::MAX), u64::MAX);
    }
}
