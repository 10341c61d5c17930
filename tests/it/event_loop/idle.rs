//! Pools that have nothing to do.

use std::{thread, time::Duration};

use outwork_core::{Executor, Priority, Registry, TaskDef, TaskOptions};
use outwork_local::{EventLoopPool, ThreadPool};

use crate::support::{
    alone, cpu_time, ms, register, register_async, submit, takes_less_than, task, task_with,
    unique, value, wait_until,
};

const UNIT: TaskDef<(), ()> = TaskDef::new("unit");
const SLEEPS: TaskDef<(), ()> = TaskDef::new("sleeps");

#[test]
fn pools_that_have_nothing_to_do_take_no_processor_time() {
    fn here() {}
    alone(here, || {
        let mut registry = Registry::new();
        register(&mut registry, UNIT, |_| ());
        register_async(&mut registry, SLEEPS, |_| tokio::time::sleep(ms(2)));
        let registry = std::sync::Arc::new(registry);
        let threads = ThreadPool::builder().workers(4).min_workers(2).keep_alive(ms(50));
        let threads = threads.name(unique("t")).registry(registry.clone()).build().unwrap();
        let loops = EventLoopPool::builder().loops(4).stall_after(ms(5)).name(unique("l"));
        let loops = loops.registry(registry).build().unwrap();
        for executor in [&threads as &dyn Executor, &loops] {
            for priority in [Priority::Low, Priority::Normal, Priority::High] {
                let limited = TaskOptions::new().priority(priority).time_limit(ms(5000)).unwrap();
                value(submit(executor, task_with(UNIT, limited)));
            }
            value(submit(executor, task(SLEEPS)));
        }
        value(threads.spawn(|| ()));
        value(loops.spawn(async { tokio::time::sleep(ms(2)).await }));
        wait_until("threads above the minimum have left", || threads.status().workers == 2);
        // What this measures is a time: nothing is waited for.
        takes_less_than(ms(10), "a second of nothing to do", || {
            let before = cpu_time();
            thread::sleep(Duration::from_secs(1));
            cpu_time().saturating_sub(before)
        });
    });
}
