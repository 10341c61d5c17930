//! The `outwork` command line, as a library.
//!
//! This is the only crate of the workspace that talks to a person, reads a signal or ends the process.
//! The modules here are what the commands are made of: each reads or writes one thing a user can see.
#![allow(dead_code, reason = "the commands that use these modules are wired up in the next commit")]

mod command_line;
mod duration;
mod exit_code;
mod halt;
mod input;
mod job_end;
mod joblog;
mod output;
mod results;
mod spec;
mod spool;
mod template;
