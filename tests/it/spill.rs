//! Where output is that does not fit into memory.

use std::fs;

use outwork_core::{BoxError, Registry, StreamTarget, TaskDef, TaskOptions};
use outwork_local::ThreadPool;

use crate::support::{alone, drain, outcome, submit, task_with, unique};

const LOUD: TaskDef<(), ()> = TaskDef::new("test.loud");

/// The files that this process has open and nobody else can find.
fn unlinked() -> usize {
    let links = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let files = links.filter_map(|link| fs::read_link(link.path()).ok());
    files.filter(|file| file.to_string_lossy().ends_with("(deleted)")).count()
}

#[test]
fn output_beyond_memory_is_in_files_without_a_name_that_go_with_the_outcome() {
    alone(
        || (),
        || {
            let before = unlinked();
            let mut registry = Registry::new();
            registry
                .register(LOUD, |ctx, ()| {
                    let line = [b'x'; 64 * 1024];
                    (0..32).try_for_each(|_| ctx.stdout().write(&line))?;
                    Err::<(), BoxError>("and then it fails".into())
                })
                .unwrap();
            let pool = ThreadPool::builder().workers(2).name(unique("t")).registry(registry);
            let pool = pool.build().unwrap();
            let options = TaskOptions::new().stdout(StreamTarget::memory());
            let handles = [(); 4].map(|()| submit(&pool, task_with(LOUD, options.clone())));
            let outcomes = handles.map(outcome);
            assert!(outcomes.iter().all(|outcome| outcome.stdout().len() == 2 << 20));
            assert_eq!(unlinked(), before + 4);
            drain(&pool);
            drop((outcomes, pool));
            assert_eq!(unlinked(), before);
        },
    );
}
