//! [`kinds`]: the executors of this crate by alias.

use std::sync::Arc;

use outwork_core::{BuildError, Executor, ExecutorConfig, ExecutorKinds, Registry};
use serde::Deserialize;

use crate::{
    BackgroundLoop, EventLoopPool, Inline, Noop, ProcessPool, ThreadPool,
    event_loop::{EventLoopPoolBuilder, EventLoopSettings},
    inline::InlineBuilder,
    process_pool::ProcessPoolBuilder,
    thread_pool::ThreadPoolBuilder,
};

type Built = Result<Arc<dyn Executor>, BuildError>;

/// The executors of this crate by their own aliases and by those that people bring along
/// from elsewhere.
#[must_use]
pub fn kinds() -> ExecutorKinds {
    let mut kinds = ExecutorKinds::new();
    for (alias, factory) in FACTORIES {
        let added = kinds.add(alias, factory);
        debug_assert!(added.is_ok(), "no alias stands twice in the table");
    }
    kinds
}

type Factory = fn(&ExecutorConfig, Arc<Registry>) -> Built;

const FACTORIES: [(&str, Factory); 14] = [
    ("thread-pool", thread_pool),
    ("threads", thread_pool),
    ("threadpool", thread_pool),
    ("process-pool", process_pool),
    ("processes", process_pool),
    ("processpool", process_pool),
    ("event-loop-pool", event_loop_pool),
    ("loops", event_loop_pool),
    ("asyncio", event_loop_pool),
    ("background-loop", background_loop),
    ("background", background_loop),
    ("inline", inline),
    ("debug", inline),
    ("noop", noop),
];

fn thread_pool(config: &ExecutorConfig, registry: Arc<Registry>) -> Built {
    let builder = ThreadPoolBuilder::from_settings(config.settings()?);
    let pool: ThreadPool = builder.registry(registry).build()?;
    Ok(Arc::new(pool))
}

fn process_pool(config: &ExecutorConfig, registry: Arc<Registry>) -> Built {
    let builder = ProcessPoolBuilder::from_settings(config.settings()?);
    let pool: ProcessPool = builder.registry(registry).build()?;
    Ok(Arc::new(pool))
}

fn event_loop_pool(config: &ExecutorConfig, registry: Arc<Registry>) -> Built {
    let builder = EventLoopPoolBuilder::from_settings(config.settings()?);
    let pool: EventLoopPool = builder.registry(registry).build()?;
    Ok(Arc::new(pool))
}

fn background_loop(config: &ExecutorConfig, registry: Arc<Registry>) -> Built {
    let settings: EventLoopSettings = config.settings()?;
    let builder = EventLoopPoolBuilder::from_settings(settings).registry(registry);
    Ok(Arc::new(BackgroundLoop::from_builder(builder)?))
}

fn inline(config: &ExecutorConfig, registry: Arc<Registry>) -> Built {
    let executor: Inline =
        InlineBuilder::from_settings(config.settings()?).registry(registry).build();
    Ok(Arc::new(executor))
}

fn noop(config: &ExecutorConfig, registry: Arc<Registry>) -> Built {
    /// There is nothing to set.
    #[derive(Default, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}
    config.settings::<Nothing>()?;
    Ok(Arc::new(Noop::new(registry)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alias_builds_its_kind_and_its_config_builds_the_like_of_it() {
        for (alias, kind) in [
            ("thread-pool", "thread-pool"),
            ("threads", "thread-pool"),
            ("threadpool", "thread-pool"),
            ("event-loop-pool", "event-loop-pool"),
            ("loops", "event-loop-pool"),
            ("asyncio", "event-loop-pool"),
            ("background-loop", "background-loop"),
            ("background", "background-loop"),
            ("inline", "inline"),
            ("debug", "inline"),
            ("noop", "noop"),
        ] {
            let config = ExecutorConfig::new(alias, &());
            let first = kinds().build(&config, Arc::default()).unwrap();
            let again = kinds().build(&first.config(), Arc::default()).unwrap();
            assert_eq!(first.config(), again.config(), "{alias}");
            assert_eq!(first.config().kind(), kind, "{alias}");
        }
        assert_eq!(kinds().aliases().count(), FACTORIES.len());
    }

    #[test]
    fn every_kind_refuses_settings_that_it_does_not_know() {
        for alias in kinds().aliases() {
            let config = ExecutorConfig::new(alias, &serde_json::json!({ "wrokers": 2 }));
            let error = kinds().build(&config, Arc::default()).unwrap_err();
            assert!(matches!(error, BuildError::InvalidConfig { .. }), "{alias}: {error}");
            assert!(error.to_string().contains("wrokers"), "{alias}: {error}");
        }
    }
}
