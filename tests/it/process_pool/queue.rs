//! What waits behind what.

use outwork_core::{Executor, Shutdown};

use super::pool;
use crate::support::{
    LATER, outcome, submit,
    tasks::{NOOP, SLEEP},
};

#[test]
fn tasks_behind_a_long_one_run_after_it_on_the_only_worker() {
    let pool = pool(1);
    for _ in 0..3 {
        let long = submit(&pool, SLEEP.task(&20).unwrap());
        let others: Vec<_> = (0..10).map(|_| submit(&pool, NOOP.task(&()).unwrap())).collect();
        assert!(outcome(long).is_success());
        for other in others {
            assert!(outcome(other).is_success());
        }
    }
    crate::support::stop(&pool, Shutdown::drain(LATER));
    assert_eq!(pool.status().counts.succeeded, 33);
}
