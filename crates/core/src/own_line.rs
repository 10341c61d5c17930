//! [`OwnLine`]: a value that shares its cache line with no other.

use std::ops::Deref;

/// A value that shares its cache line with no other, so that those who write it do not slow
/// down those who use what lies beside it. 128 bytes, because some processors fetch lines in
/// pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct OwnLine<T>(T);

impl<T> Deref for OwnLine<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
