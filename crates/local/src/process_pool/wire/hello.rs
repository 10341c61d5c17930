//! The first words: who speaks which protocol, and knows which tasks.

use outwork_core::Registry;
use serde::{Deserialize, Serialize};

/// The version of the protocol. Both sides have to speak the same.
pub(in super::super) const PROTOCOL: u32 = 1;

/// The version of this crate, for the error of a mismatch.
const BUILD: &str = env!("CARGO_PKG_VERSION");

/// The pool's first words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Hello {
    pub(in super::super) protocol: u32,
    pub(in super::super) build: String,
    /// What the pool knows of its tasks.
    pub(in super::super) fingerprint: u64,
    /// How long a result may be.
    pub(in super::super) frame_limit: u32,
    /// The most verbose level of events that the pool's process looks at.
    pub(in super::super) log_level: Option<String>,
}

/// The child's first words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Ready {
    pub(in super::super) protocol: u32,
    pub(in super::super) build: String,
    pub(in super::super) fingerprint: u64,
    pub(in super::super) pid: u32,
}

impl Hello {
    pub(in super::super) fn new(fingerprint: u64, frame_limit: u32) -> Self {
        let log_level = tracing::level_filters::LevelFilter::current()
            .into_level()
            .map(|level| level.to_string());
        Self { protocol: PROTOCOL, build: BUILD.to_owned(), fingerprint, frame_limit, log_level }
    }
}

impl Ready {
    pub(in super::super) fn new(fingerprint: u64) -> Self {
        let pid = std::process::id();
        Self { protocol: PROTOCOL, build: BUILD.to_owned(), fingerprint, pid }
    }

    /// Why the two cannot work together, if they cannot.
    pub(in super::super) fn differs_from(&self, hello: &Hello) -> Option<String> {
        if self.protocol != hello.protocol || self.build != hello.build {
            return Some(format!(
                "it speaks protocol {} of outwork-local {}, and the pool protocol {} of {}: \
                 build both of the same version",
                self.protocol, self.build, hello.protocol, hello.build
            ));
        }
        (self.fingerprint != hello.fingerprint).then(|| {
            format!(
                "its registered tasks are not those of the pool (fingerprint {:016x}, not {:016x}): \
                 register the same tasks before `worker_entry` and for the pool",
                self.fingerprint, hello.fingerprint
            )
        })
    }
}

/// A number that two registries have in common when they have the same tasks: the names, the
/// kinds of body, and the types as they read.
pub(in super::super) fn fingerprint(registry: &Registry) -> u64 {
    let mut hash = Fnv::new();
    for task in registry.iter() {
        for word in [task.name().as_str(), task.arguments(), task.result()] {
            hash.write(word);
        }
        hash.write(&task.kind().to_string());
    }
    hash.0
}

/// FNV-1a, because both sides need the same hash whatever standard library they were built with.
struct Fnv(u64);

impl Fnv {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn write(&mut self, word: &str) {
        for byte in word.bytes().chain([0xff]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
