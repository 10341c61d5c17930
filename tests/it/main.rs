//! Everything that is tested from outside, in one binary.
#![allow(clippy::unwrap_used, unreachable_pub, reason = "helpers of tests are tests as well")]
#![allow(
    clippy::clone_on_ref_ptr,
    clippy::drop_non_drop,
    clippy::mem_forget,
    clippy::print_stdout,
    reason = "tests plant what must not go off, and print what they found"
)]

// What the tests are written with.
mod support;

// The executors of `outwork-local`, by what can go wrong with them.
mod background;
mod event_loop;
mod inline;
mod noop;
mod process_pool;
mod scoped;
mod spill;
mod thread_pool;

// The contract, its guarantees, and the arrows between the crates.
mod conformance;
mod guarantees;
mod layering;

// What the papers say of the tests.
mod promises;
