//! [`Subject`]: the executor that is stressed.

use std::sync::Arc;

use outwork_core::{BuildError, Executor, Registry};
use outwork_local::{BackgroundLoop, EventLoopPool, Inline, ThreadPool};

use super::plan::{Kind, Plan};

/// What the names of its threads begin with.
pub(super) const NAME: &str = "stressed";

/// The executor that is stressed.
#[derive(Debug)]
pub(super) enum Subject {
    Threads(ThreadPool),
    Loops(EventLoopPool),
    Background(BackgroundLoop),
    Inline(Inline),
}

impl Subject {
    pub(super) fn build(plan: &Plan, registry: Registry) -> Result<Arc<Self>, BuildError> {
        let loops = EventLoopPool::builder()
            .name(NAME)
            .loops(plan.workers)
            .limit(plan.limit)
            .stall_after(plan.replace_after / 2)
            .replace_after(plan.replace_after);
        Ok(Arc::new(match plan.kind {
            Kind::Threads => {
                let pool = ThreadPool::builder().name(NAME).workers(plan.workers).limit(plan.limit);
                let pool = pool.min_workers(plan.min_workers).keep_alive(plan.keep_alive);
                Self::Threads(pool.registry(registry).build()?)
            }
            Kind::Loops => Self::Loops(loops.registry(registry).build()?),
            Kind::Background => {
                Self::Background(BackgroundLoop::from_builder(loops.registry(registry))?)
            }
            Kind::Inline => Self::Inline(Inline::new(registry)),
        }))
    }

    pub(super) fn executor(&self) -> &dyn Executor {
        match self {
            Self::Threads(pool) => pool,
            Self::Loops(pool) => pool,
            Self::Background(background) => background,
            Self::Inline(inline) => inline,
        }
    }

    /// Changes how many threads there are, where that can be changed.
    pub(super) fn resize(&self, workers: usize) -> Result<(), BuildError> {
        match self {
            Self::Threads(pool) => pool.resize(workers),
            Self::Loops(_) | Self::Background(_) | Self::Inline(_) => Ok(()),
        }
    }
}
