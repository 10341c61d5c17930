//! [`TaskId`]: who a task is, everywhere.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    str::FromStr,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use uuid::{Builder, Uuid};

/// Names one task for its whole life, on every machine that it visits.
///
/// A UUID of version 7: ids made later sort later, and the time of the making can be read back.
/// The id is the caller's: submitting a [`Task`](crate::Task) twice while it lives is refused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(Uuid);

impl TaskId {
    /// Makes a new id from the clock and fresh random bits.
    ///
    /// The random bits tell ids apart and keep no secret: who has seen some may guess others.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "every call gives another value")]
    pub fn new() -> Self {
        // RFC 9562, section 6.2, method 3: the 12 bits after the milliseconds are their fraction.
        let tick = next_tick();
        let mut rest = [0; 10];
        rest[..2].copy_from_slice(&((tick % TICKS_PER_MS) as u16).to_be_bytes());
        rest[2..].copy_from_slice(&random_bits().to_be_bytes());
        Self(Builder::from_unix_timestamp_millis(tick / TICKS_PER_MS, &rest).into_uuid())
    }

    /// Takes over an id that was made elsewhere.
    #[must_use]
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The id as a UUID.
    #[must_use]
    pub const fn as_uuid(&self) -> &Uuid {
        &self.0
    }
}

const TICKS_PER_MS: u64 = 1 << 12;

/// The time since 1970 in ticks of a quarter of a microsecond, or the tick after the last one
/// where the clock has not moved on: it never gives the same twice.
fn next_tick() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let fraction = u64::from(time.subsec_nanos()) * TICKS_PER_MS / 1_000_000;
    let now = time.as_secs() * 1000 * TICKS_PER_MS + fraction;
    let after = |last: u64| now.max(last + 1);
    after(LAST.update(Ordering::Relaxed, Ordering::Relaxed, after))
}

/// The generator is seeded by the clock, so what tells processes apart that were started at the
/// same moment comes from the system.
fn random_bits() -> u64 {
    static OF_THIS_PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(()));
    fastrand::u64(..) ^ *OF_THIS_PROCESS
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({self})")
    }
}

/// The text is not a task id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a task id: expected a UUID such as 01938f9c-7d1e-7c3a-9b1a-2f6d0c5e8a11")]
pub struct ParseTaskIdError {
    text: String,
}

impl FromStr for TaskId {
    type Err = ParseTaskIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::try_parse(text).map(Self).map_err(|_| ParseTaskIdError { text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, thread, time::Duration};

    use uuid::Variant;

    use super::*;

    #[test]
    fn an_id_survives_its_text_form() {
        let id = TaskId::new();
        assert_eq!(id.to_string().parse::<TaskId>().unwrap(), id);
    }

    #[test]
    fn a_later_id_sorts_later() {
        let ids: Vec<_> = (0..10_000).map(|_| TaskId::new()).collect();
        assert!(ids.is_sorted());
    }

    #[test]
    fn threads_make_different_ids() {
        let make = || (0..10_000).map(|_| TaskId::new()).collect::<Vec<_>>();
        let ids: HashSet<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(make)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(ids.len(), 40_000);
    }

    #[test]
    fn an_id_is_a_uuid_of_version_7_with_the_time() {
        let before = Duration::from_millis(wall_ms());
        let id = *TaskId::new().as_uuid();
        assert_eq!((id.get_version_num(), id.get_variant()), (7, Variant::RFC4122));
        let (seconds, nanoseconds) = id.get_timestamp().unwrap().to_unix();
        let time = Duration::new(seconds, nanoseconds);
        // Other tests may have run the ticks a little ahead.
        assert!(time >= before && time < before + Duration::from_secs(60), "{time:?} {before:?}");
    }

    fn wall_ms() -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
    }

    #[test]
    fn garbage_is_named_in_the_error() {
        let error = "abc".parse::<TaskId>().unwrap_err();
        assert!(error.to_string().contains("\"abc\""));
    }
}
