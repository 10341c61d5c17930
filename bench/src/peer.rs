//! What others offer for the same work; nothing here knows Outwork.

pub(crate) mod answer;
pub(crate) mod bare_spawn;
pub(crate) mod cargo_queue;
pub(crate) mod lapin;
pub(crate) mod local_pool;
pub(crate) mod parallel;
pub(crate) mod ping_pong;
pub(crate) mod procspawn;
pub(crate) mod python;
pub(crate) mod python_queue;
pub(crate) mod rayon;
pub(crate) mod role;
pub(crate) mod xargs;
