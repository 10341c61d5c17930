//! What others offer for the same work; nothing here knows Outwork.

pub(crate) mod local_pool;
pub(crate) mod parallel;
pub(crate) mod rayon;
pub(crate) mod xargs;
