//! [`IdHash`]: how ids are found in maps.

use std::{
    hash::{BuildHasherDefault, Hasher},
    sync::LazyLock,
};

use crate::TaskId;

/// How ids are found in maps, quickly: `HashMap<TaskId, V, IdHash>`.
///
/// For keys that are a [`TaskId`], or begin with one and have integers after it.
pub type IdHash = BuildHasherDefault<IdHasher>;

/// Hashes a [`TaskId`]: most of its bits are random as it is.
#[derive(Debug, Default)]
pub struct IdHasher(u64);

/// Numbers that an outsider does not know: ids come from callers, who must not be able to choose
/// where they collide.
static SECRET: LazyLock<(u64, u64)> = LazyLock::new(|| (fastrand::u64(..), fastrand::u64(..)));

/// 2 to the 64 by the golden ratio: its bits have no pattern.
const ODD: u64 = 0x9E37_79B9_7F4A_7C15;

/// Mixes the halves of an id, and then the bits of that: either half alone may be all there is.
pub(super) fn spread(id: TaskId) -> u64 {
    let (high, low) = id.halves();
    fold(fold(low ^ SECRET.0, high ^ SECRET.1), ODD)
}

/// Multiplies, and lays one half of the product over the other.
fn fold(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    (product >> 64) as u64 ^ product as u64
}

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        let mut id = [0; 16];
        let len = bytes.len().min(16);
        id[..len].copy_from_slice(&bytes[..len]);
        self.0 = spread(TaskId::from_uuid(uuid::Uuid::from_bytes(id)));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = fold(self.0 ^ number, ODD);
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(number.into());
    }

    fn write_usize(&mut self, _length_prefix: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashSet,
        hash::{BuildHasher, Hash},
    };

    use super::*;

    /// How many of 4096 slots are hit. Thrown there at random, a thousand keys hit 888.
    fn slots_hit(keys: impl Iterator<Item = impl Hash>) -> usize {
        let hash = IdHash::default();
        keys.map(|key| hash.hash_one(key) % 4096).collect::<HashSet<_>>().len()
    }

    fn id(bits: u128) -> TaskId {
        TaskId::from_uuid(uuid::Uuid::from_u128(bits))
    }

    #[test]
    fn keys_that_are_alike_do_not_collide() {
        assert!(slots_hit((0..1000).map(|time| id(time << 80))) > 800);
        assert!(slots_hit((0..1000).map(id)) > 800);
        assert!(slots_hit((0..1000_i64).map(|time| (id(7), time, 1_u32))) > 800);
        assert!(slots_hit((0..1000_u32).map(|attempt| (id(7), 7_i64, attempt))) > 800);
    }
}
