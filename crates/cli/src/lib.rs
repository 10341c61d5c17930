//! The `outwork` command line, as a library.
//!
//! This is the only crate of the workspace that talks to a person, reads a signal or ends the
//! process. [`App`] gives your own binary the same commands with your own tasks:
//!
//! ```no_run
//! use outwork_core::{BoxError, Registry, TaskDef};
//!
//! const SQUARE: TaskDef<u64, u64> = TaskDef::new("math.square");
//!
//! fn main() -> std::process::ExitCode {
//!     let mut registry = Registry::new();
//!     registry.register(SQUARE, |_, n| Ok::<_, BoxError>(n * n)).expect("the name is free");
//!     outwork_cli::App::new(registry).main()
//! }
//! ```

mod app;
mod args;
mod broker;
mod command_line;
mod commands;
mod config;
mod config_file;
mod demo;
mod duration;
mod error_json;
mod executors;
mod exit_code;
mod failure;
mod feed;
mod halt;
mod input;
mod job_end;
mod joblog;
mod lines;
mod logs;
mod open_files;
mod output;
mod own_tasks;
mod progress;
mod pump;
mod result_json;
mod results;
mod signal;
mod spec;
mod spool;
mod stopper;
mod template;

pub use app::App;
